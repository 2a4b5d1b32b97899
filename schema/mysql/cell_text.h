/*
 * Cell text: canonical values as the texts that MySQL reads and shows them by: numbers, dates and
 * times, and PostgreSQL's types that MySQL keeps as texts (uuid, interval, inet, macaddr, "char").
 * Texts, documents and bytes stand for themselves.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    MYSQL_FORM_NONE,   /* drover has no way to write such a type to MySQL */
    MYSQL_FORM_NUMBER, /* needs no quotes */
    MYSQL_FORM_PLAIN,  /* a text in which nothing needs an escape */
    MYSQL_FORM_TEXT,   /* any text; the cell's own bytes, but for "char" */
    MYSQL_FORM_JSON,   /* the same; jsonb has a byte in front */
    MYSQL_FORM_BYTES   /* the cell's own bytes, but for float4[] */
} MysqlForm;

MysqlForm mysql_form_of(guint32 type_oid);

/* Appends a NUMBER or PLAIN cell, or a "char". DATA where MySQL has no such value (the message
 * names column and value), BUG where the bytes are not of the column's type. */
bool mysql_append_cell_text(GString *out, const Column *column, const Cell *cell, GError **error);

/* The column is MySQL's time on the side that has it, not an interval's text. */
bool mysql_column_is_time(const Column *column);
