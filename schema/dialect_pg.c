/*
 * The words of PostgreSQL for what comes from MySQL or MariaDB. Names of indexes are those of
 * relations here, unique in their schema, so that many get a number.
 */
#include "schema/dialect.h"
#include "schema/mysql/type.h"
#include "schema/type_oid.h"

#include <string.h>

/* Sessions have standard_conforming_strings. */
static void append_quoted(GString *sql, const char *text)
{
    g_string_append_c(sql, '\'');
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            g_string_append_c(sql, '\'');
        g_string_append_c(sql, *text);
    }
    g_string_append_c(sql, '\'');
}

/* --- Defaults --------------------------------------------------------------------------------- */

static guint length_of(const Column *column)
{
    MysqlType type;
    mysql_type_parse(column->type, &type);
    return type.length;
}

/* A bit string has all its bits, the value in the last ones. */
static void append_bits(GString *sql, const Column *column, const char *digits)
{
    guint length = length_of(column);
    g_string_append(sql, " default '");
    for (gsize i = strlen(digits); i < length; i++)
        g_string_append_c(sql, '0');
    g_string_append_printf(sql, "%s'", digits);
}

/* The bytes of binary(n) are filled up with zeros. */
static void append_bytes(GString *sql, const Column *column, const char *digits)
{
    guint length = g_str_has_prefix(column->type, "binary") ? length_of(column) * 2 : 0;
    g_string_append_printf(sql, " default '\\x%s", digits);
    for (gsize i = strlen(digits); i < length; i++)
        g_string_append_c(sql, '0');
    g_string_append_c(sql, '\'');
}

/* MySQL's dates may have no day, month or year. */
static bool is_real_date(const char *text)
{
    return !g_str_has_prefix(text, "0000-") && strstr(text, "-00") == NULL;
}

static bool append_literal(GString *sql, const Column *column, const char *text)
{
    guint32 oid = column->type_oid;
    if (oid == OID_BIT) {
        append_bits(sql, column, text);
        return true;
    }
    if (oid == OID_BYTEA) {
        append_bytes(sql, column, text);
        return true;
    }
    if ((oid == OID_DATE || oid == OID_TIMESTAMP || oid == OID_TIMESTAMPTZ) && !is_real_date(text))
        return false;
    g_string_append(sql, " default ");
    append_quoted(sql, text);
    if (oid == OID_TIMESTAMPTZ) {
        g_string_truncate(sql, sql->len - 1);
        g_string_append(sql, "+00'");
    }
    return true;
}

static bool append_now(GString *sql, const Column *column, DefaultKind kind)
{
    guint digits = length_of(column);
    if (column->type_oid == OID_TIMESTAMPTZ)
        g_string_append_printf(sql, " default current_timestamp(%u)", digits);
    else if (column->type_oid == OID_TIMESTAMP && kind == DEFAULT_NOW)
        g_string_append_printf(sql, " default localtimestamp(%u)", digits);
    else if (column->type_oid == OID_TIMESTAMP)
        g_string_append_printf(sql, " default (current_timestamp(%u) at time zone 'UTC')", digits);
    else
        return false;
    return true;
}

static void append_default(Across *across, GString *sql, const TableDescription *description,
                           const ColumnDescription *column)
{
    bool done = false;
    switch (column->initial.kind) {
    case DEFAULT_NONE:
        done = true;
        break;
    case DEFAULT_LITERAL:
        done = append_literal(sql, column->column, column->initial.text);
        break;
    case DEFAULT_NOW:
    case DEFAULT_NOW_UTC:
        done = append_now(sql, column->column, column->initial.kind);
        break;
    case DEFAULT_EXPRESSION:
    case DEFAULT_UNKNOWN:
        break;
    }
    if (!done)
        across_leave_default(across, description, column);
}

/* --- Tables ----------------------------------------------------------------------------------- */

/* The greatest number of an identity column of this type; 0: it cannot be one. */
static guint64 greatest_number(const char *type)
{
    if (strcmp(type, "smallint") == 0)
        return G_MAXINT16;
    if (strcmp(type, "integer") == 0)
        return G_MAXINT32;
    return strcmp(type, "bigint") == 0 ? G_MAXINT64 : 0;
}

static char *sequence_name(Across *across, const Table *table, const Column *column)
{
    g_autofree char *wanted = g_strdup_printf("%s_%s_seq", table->target_name, column->name);
    g_autofree char *taken =
        ddl_take_name(across->plan, across->plan->taken, table->target_schema, wanted);
    return ddl_qualified(across->plan, table->target_schema, taken);
}

/* A type that cannot be an identity counts by a sequence of its own. */
static void append_sequence(Across *across, GString *sql, const TableDescription *description,
                            const Column *column)
{
    const Table *table = description->table;
    g_autofree char *name = sequence_name(across, table, column);
    g_autofree char *target = ddl_target_of(across->plan, table);
    g_autofree char *quoted = ddl_quoted(across->plan, column->name);
    guint64 start = CLAMP(description->next_number, 1, G_MAXINT64);
    ddl_add_step(across->plan, table, "sequence", name,
                 "create sequence %s start with %" G_GUINT64_FORMAT, name, start);
    ddl_add_last_step(across->plan, table, "sequence_owner", name,
                      "alter sequence %s owned by %s.%s", name, target, quoted);
    g_string_append(sql, " default nextval(");
    append_quoted(sql, name);
    g_string_append(sql, "::regclass)");
}

static void append_counter(Across *across, GString *sql, const TableDescription *description,
                           const Column *column)
{
    guint64 greatest = greatest_number(column->target_type);
    if (greatest == 0) {
        append_sequence(across, sql, description, column);
        return;
    }
    g_string_append(sql, " generated by default as identity");
    if (description->next_number > 1 && description->next_number <= greatest)
        g_string_append_printf(sql, " (start with %" G_GUINT64_FORMAT ")",
                               description->next_number);
}

static void append_column(Across *across, GString *sql, const TableDescription *description,
                          const ColumnDescription *column)
{
    g_autofree char *name = ddl_quoted(across->plan, column->column->name);
    g_string_append_printf(sql, "%s%s %s%s", sql->len > 0 ? ", " : "", name,
                           column->column->target_type,
                           column->column->not_null ? " not null" : "");
    if (column->counts)
        append_counter(across, sql, description, column->column);
    else
        append_default(across, sql, description, column);
    if (column->on_update != NULL)
        ddl_leave_out(across->plan, description->table,
                      "column %s will not change by itself on updates (on update %s)",
                      column->column->name, column->on_update);
}

static void add_comment(Across *across, const Table *table, const char *what, const char *comment)
{
    g_autofree char *name = ddl_target_of(across->plan, table);
    g_autoptr(GString) literal = g_string_new(NULL);
    append_quoted(literal, comment);
    ddl_add_step(across->plan, table, "table", name, "comment on %s is %s", what, literal->str);
}

static void add_comments(Across *across, const TableDescription *description)
{
    const Table *table = description->table;
    g_autofree char *name = ddl_target_of(across->plan, table);
    if (description->comment != NULL) {
        g_autofree char *what = g_strdup_printf("table %s", name);
        add_comment(across, table, what, description->comment);
    }
    for (guint i = 0; i < description->columns->len; i++) {
        const ColumnDescription *column =
            &g_array_index(description->columns, ColumnDescription, i);
        if (column->comment == NULL || column->column->target_type == NULL)
            continue;
        g_autofree char *quoted = ddl_quoted(across->plan, column->column->name);
        g_autofree char *what = g_strdup_printf("column %s.%s", name, quoted);
        add_comment(across, table, what, column->comment);
    }
}

static void plan_table(Across *across, TableDescription *description)
{
    const Table *table = description->table;
    g_autofree char *name = ddl_target_of(across->plan, table);
    g_autoptr(GString) columns = g_string_new(NULL);
    for (guint i = 0; i < description->columns->len; i++) {
        const ColumnDescription *column =
            &g_array_index(description->columns, ColumnDescription, i);
        if (column->column->target_type != NULL)
            append_column(across, columns, description, column);
    }
    ddl_add_step(across->plan, table, "table", name, "create table %s (%s)", name, columns->str);
    add_comments(across, description);
}

/* --- Indexes ---------------------------------------------------------------------------------- */

/* An index over the beginning of a column becomes one over an expression. */
static void append_part(Across *across, GString *sql, const TableDescription *description,
                        const IndexPart *part)
{
    g_autofree char *name = ddl_quoted(across->plan, part->column);
    const Column *column =
        description_column((TableDescription *)(gpointer)description, part->column)->column;
    g_string_append(sql, sql->len > 0 ? ", " : "");
    if (part->prefix == 0)
        g_string_append(sql, name);
    else if (column->type_oid == OID_BYTEA)
        g_string_append_printf(sql, "substr(%s, 1, %u)", name, part->prefix);
    else
        g_string_append_printf(sql, "left(%s, %u)", name, part->prefix);
    if (part->descending)
        g_string_append(sql, " desc");
}

static char *parts_of(Across *across, const TableDescription *description,
                      const IndexDescription *index)
{
    GString *parts = g_string_new(NULL);
    for (guint i = 0; i < index->parts->len; i++)
        append_part(across, parts, description, &g_array_index(index->parts, IndexPart, i));
    return g_string_free(parts, FALSE);
}

static void plan_index(Across *across, const TableDescription *description, IndexDescription *index,
                       const char *kind)
{
    static const char *const methods[] = {"btree", "hash", NULL};
    const Table *table = description->table;
    if (!across_can_index(across, description, index, methods))
        return;
    g_autofree char *target = ddl_target_of(across->plan, table);
    g_autofree char *parts = parts_of(across, description, index);
    g_autofree char *taken =
        ddl_take_name(across->plan, across->plan->taken, table->target_schema, index->name);
    g_autofree char *quoted = ddl_quoted(across->plan, taken);
    g_autofree char *name = ddl_qualified(across->plan, table->target_schema, taken);
    ddl_add_step(across->plan, table, kind, name, "create %sindex %s on %s (%s)",
                 index->unique ? "unique " : "", quoted, target, parts);
    if (strcmp(kind, "key") == 0)
        ddl_add_step(across->plan, table, kind, name,
                     "alter table %s replica identity using index %s", target, quoted);
    if (index->comment != NULL)
        ddl_leave_out(across->plan, table, "the comment of index %s will not be created",
                      index->name);
    index->made = true;
}

static void plan_key(Across *across, TableDescription *description, IndexDescription *index)
{
    const Table *table = description->table;
    if (!index->primary) {
        plan_index(across, description, index, "key");
        return;
    }
    g_autofree char *target = ddl_target_of(across->plan, table);
    g_autofree char *parts = parts_of(across, description, index);
    g_autofree char *wanted = g_strdup_printf("%s_pkey", table->target_name);
    g_autofree char *taken =
        ddl_take_name(across->plan, across->plan->taken, table->target_schema, wanted);
    g_autofree char *quoted = ddl_quoted(across->plan, taken);
    g_autofree char *label = g_strdup_printf("%s of %s", quoted, target);
    ddl_add_step(across->plan, table, "key", label,
                 "alter table %s add constraint %s primary key (%s)", target, quoted, parts);
    index->made = true;
}

static void plan_indexes(Across *across, TableDescription *description)
{
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (!index->is_key)
            plan_index(across, description, index, "index");
    }
}

/* --- Foreign keys ----------------------------------------------------------------------------- */

static void plan_foreign_key(Across *across, const TableDescription *description,
                             const TableDescription *referenced, const ForeignKeyDescription *key)
{
    const Table *table = description->table;
    const IndexDescription *index = description_unique_index(referenced, key->referenced_columns);
    if (index == NULL || !index->made) {
        ddl_leave_out(across->plan, table,
                      "foreign key %s will not be created: what it refers to in %s is not unique",
                      key->name, key->referenced);
        return;
    }
    g_autofree char *from = ddl_target_of(across->plan, table);
    g_autofree char *to = ddl_target_of(across->plan, referenced->table);
    g_autofree char *columns = across_names(across, key->columns);
    g_autofree char *referenced_columns = across_names(across, key->referenced_columns);
    g_autofree char *taken =
        ddl_take_name(across->plan, across->constraints, table->target_schema, key->name);
    g_autofree char *name = ddl_quoted(across->plan, taken);
    g_autofree char *label = g_strdup_printf("%s of %s", name, from);
    ddl_add_step(across->plan, table, "foreign_key", label,
                 "alter table %s add constraint %s foreign key (%s) references %s (%s) "
                 "on delete %s on update %s",
                 from, name, columns, to, referenced_columns, key->on_delete, key->on_update);
}

const Dialect dialect_pg = {plan_table, plan_key, plan_indexes, plan_foreign_key};
