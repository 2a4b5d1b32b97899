/*
 * Value: a column's values as a SELECT gives them, in canonical form.
 *
 * How a value is read depends on what the column is on the server that is asked (the field of the
 * answer) and on the canonical type that is wanted (Column.type_oid): a MySQL source has the
 * natural types, a MySQL target that was filled from PostgreSQL keeps an interval as its text, a
 * uuid as char(36). The bytes are those that the log gives for the same value
 * (capture/mysql/canonical.h), and those that PostgreSQL sends.
 *
 * Sessions leave texts in the column's own character set (connection_mysql.h), so that they are
 * converted here, by the code that converts those of the log.
 */
#pragma once

#include "schema/table.h"

#include <glib.h>
#include <mysql.h>
#include <stdbool.h>

typedef struct MysqlValue MysqlValue;

typedef bool (*MysqlValueRead)(const MysqlValue *value, const char *text, gsize size,
                               GByteArray *out, bool *null, GError **error);

struct MysqlValue {
    const Table *table;
    const Column *column;
    MysqlValueRead read;
    guint32 collation; /* of a text; 0: UTF-8 that needs no check */
    bool has_ascii;    /* bytes below 0x80 are those of UTF-8 */
    bool is_utf8;
    guint bits;        /* of a bit column */
    bool least_digits; /* numeric without a scale: as few digits as say the value */
};

/* field: of an answer that has the column itself, of no rows or some. PERSON where its character
 * set is one that drover does not know, BUG where there is no way to read it as its canonical type.
 */
bool mysql_value_init(MysqlValue *value, const Table *table, const Column *column,
                      const MYSQL_FIELD *field, GError **error);

/* Appends what to select, so that the text has every digit: "t.`c`" or "t.`c` * 1e0". */
void mysql_value_append_selected(GString *sql, const char *name, const MYSQL_FIELD *field);

/* Appends the canonical bytes of a value that is not null; sets *null, and appends nothing, for a
 * zero date that becomes null. Errors of class DATA name column and value. */
bool mysql_value_append(const MysqlValue *value, const char *text, gsize size, GByteArray *out,
                        bool *null, GError **error);
