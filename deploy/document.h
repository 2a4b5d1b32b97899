/*
 * Document: the YAML of a migration file, read with limits.
 *
 * libyaml needs minutes for 160 KB of nested brackets and accepts an alias to itself. So the file
 * is first read event by event, which stops at the first nest that is too deep and refuses anchors,
 * aliases, tags and a second document; only what passes becomes a tree of nodes.
 */
#pragma once

#include "deploy/problems.h"

#include <glib.h>
#include <stdbool.h>
#include <yaml.h>

enum { DOCUMENT_MAX_SIZE = 1024 * 1024, DOCUMENT_MAX_DEPTH = 12 };

/* Fills document (yaml_document_delete it) where it returns true; it then has a root node.
 * Otherwise at least one problem was added and document is untouched. Line and column of a node are
 * its start_mark plus one. */
bool document_load(const char *text, gsize size, Problems *problems, yaml_document_t *document);
