/*
 * What a server's refusal to send its binlog means, and what to do about it.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* Sets *error with a class and a remedy; returns false. label: "source db1:3306/shop". */
bool binlog_server_error(const char *label, unsigned int number, const char *message,
                         GError **error);
