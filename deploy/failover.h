/*
 * Failover: a migration goes on with another server, where that has the history of the one before.
 * MySQL and MariaDB only: GTIDs tell what a server has, and places in two servers' logs cannot be
 * compared (proto/position.h: era).
 *
 * What is asked of the new server: everything that is on the bus, and everything that the copy has
 * read and the bus has not proven yet. What it has besides comes through its log.
 */
#pragma once

#include "deploy/context.h"
#include "deploy/stored.h"

#include <stdbool.h>

/* identity: of the server that the migration file leads to now. Stores it, with a new era, where
 * it has what is asked for; the migration's endpoint is the new server's then. PERSON where it
 * lacks something; RESTART where another process has to come first, the one that captures. */
bool failover_accept(Context *context, guint roles, const Stored *stored, const char *identity,
                     GError **error);
