/*
 * The words of MySQL and MariaDB. InnoDB keeps the rows in the primary key (else in the first
 * unique index without nulls) and would write the whole table again for one that comes later: the
 * key is part of the table from the beginning, as is the index of an auto_increment column, which
 * cannot be without one, and checks, which are validated by a copy of the table. All other indexes
 * of a table are built by one statement, which reads the rows once.
 */
#include "schema/dialect.h"
#include "schema/mysql/type.h"
#include "schema/type_oid.h"

#include <string.h>

#define INDEX_BYTES 3072
#define PREFIX 255 /* characters or bytes of a long text in an index */
#define MOST_COLUMN_COMMENT 1024
#define MOST_TABLE_COMMENT 2048 /* characters */

static bool is_mariadb(const Across *across)
{
    return across->plan->target->is_mariadb;
}

static bool is_from_pg(const Across *across)
{
    return across->plan->source->pg != NULL;
}

static ColumnDescription *find_column(const TableDescription *description, const char *name)
{
    return description_column((TableDescription *)(gpointer)description, name);
}

/* A comment that is too long for the target is told, not cut. */
static void append_comment(Across *across, GString *sql, const Table *table, const char *what,
                           const char *comment, glong most)
{
    if (comment == NULL)
        return;
    if (g_utf8_strlen(comment, -1) > most) {
        ddl_leave_out(across->plan, table,
                      "the comment of %s will not be created: it is longer than %ld characters",
                      what, most);
        return;
    }
    g_string_append(sql, " comment ");
    mysql_session_append_literal(sql, comment);
}

/* --- Defaults --------------------------------------------------------------------------------- */

/* Types whose default MySQL takes as an expression only. */
static bool wants_expression(const Across *across, const MysqlType *type)
{
    return !is_mariadb(across) &&
           (g_str_has_suffix(type->name, "text") || g_str_has_suffix(type->name, "blob") ||
            strcmp(type->name, "json") == 0 || mysql_type_is_geometry(type));
}

static bool is_numeric(guint32 oid)
{
    return oid == OID_INT2 || oid == OID_INT4 || oid == OID_INT8 || oid == OID_FLOAT4 ||
           oid == OID_FLOAT8 || oid == OID_NUMERIC || oid == OID_OID;
}

/* "2020-01-02", "2020-01-02 03:04:05.678": what both know; no year beyond 9999, no infinity. */
static bool is_plain_time(const char *text, gsize date_size)
{
    gsize size = strlen(text);
    return strspn(text, "0123456789-:. ") == size && size >= date_size &&
           (date_size == 0 || (text[4] == '-' && text[7] == '-'));
}

/* A literal of PostgreSQL that MySQL reads as the same value; NULL where it does not (g_free). */
static char *literal_of_pg(const Column *column, const char *text)
{
    guint32 oid = column->type_oid;
    g_autofree char *value = g_strdup(text);
    if (oid == OID_TIMESTAMPTZ && g_str_has_suffix(value, "+00"))
        value[strlen(value) - 3] = '\0';
    bool good = true;
    if (is_numeric(oid))
        good = column_default_is_number(value);
    else if (oid == OID_DATE)
        good = strlen(value) == 10 && is_plain_time(value, 10);
    else if (oid == OID_TIMESTAMP || oid == OID_TIMESTAMPTZ)
        good = is_plain_time(value, 19) && value[10] == ' ';
    else if (oid == OID_TIME)
        good = is_plain_time(value, 0);
    else if (oid == OID_INTERVAL)
        good = false;
    return good ? g_steal_pointer(&value) : NULL;
}

static bool append_literal(Across *across, GString *sql, const Column *column, const char *text)
{
    MysqlType type;
    mysql_type_parse(column->target_type, &type);
    g_autofree char *value = is_from_pg(across) ? literal_of_pg(column, text) : g_strdup(text);
    if (value == NULL)
        return false;
    bool expression = wants_expression(across, &type);
    g_string_append(sql, expression ? " default (" : " default ");
    if (column->type_oid == OID_BYTEA)
        g_string_append_printf(sql, "x'%s'", value);
    else if (column->type_oid == OID_BIT)
        g_string_append_printf(sql, "b'%s'", value);
    else
        mysql_session_append_literal(sql, value);
    g_string_append(sql, expression ? ")" : "");
    return true;
}

/* A time with a zone is stored in UTC, and a session of the target may have another zone. */
static bool append_now(Across *across, GString *sql, const Column *column, DefaultKind kind)
{
    MysqlType type;
    mysql_type_parse(column->target_type, &type);
    if (strcmp(type.name, "datetime") != 0 && strcmp(type.name, "timestamp") != 0)
        return false;
    if (kind == DEFAULT_NOW_UTC || (is_from_pg(across) && column->type_oid == OID_TIMESTAMPTZ))
        g_string_append_printf(sql, " default (utc_timestamp(%u))", type.length);
    else
        g_string_append_printf(sql, " default current_timestamp(%u)", type.length);
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
        done = append_literal(across, sql, column->column, column->initial.text);
        break;
    case DEFAULT_NOW:
    case DEFAULT_NOW_UTC:
        done = append_now(across, sql, column->column, column->initial.kind);
        break;
    case DEFAULT_EXPRESSION:
        done = across->same_product;
        if (done)
            g_string_append_printf(sql, " default (%s)", column->initial.text);
        break;
    case DEFAULT_UNKNOWN:
        break;
    }
    if (!done)
        across_leave_default(across, description, column);
}

/* --- Columns ---------------------------------------------------------------------------------- */

static bool is_integer(const Column *column)
{
    static const char *const names[] = {"tinyint", "smallint", "mediumint", "int", "bigint", NULL};
    MysqlType type;
    mysql_type_parse(column->target_type, &type);
    return g_strv_contains(names, type.name);
}

/* An index with which a column can count: the key where possible. */
static IndexDescription *index_of_counter(const TableDescription *description, const char *column)
{
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        const IndexPart *first = &g_array_index(index->parts, IndexPart, 0);
        if (g_strcmp0(first->column, column) == 0 && first->prefix == 0 && !index->partial &&
            strcmp(index->method, "btree") == 0)
            return index;
    }
    return NULL;
}

/* The one column that can count on the target, and its index; NULL where there is none. */
static const ColumnDescription *choose_counter(Across *across, const TableDescription *description,
                                               IndexDescription **index)
{
    const ColumnDescription *chosen = NULL;
    for (guint i = 0; i < description->columns->len; i++) {
        const ColumnDescription *column =
            &g_array_index(description->columns, ColumnDescription, i);
        if (!column->counts || column->column->target_type == NULL)
            continue;
        const char *why = NULL;
        IndexDescription *found = index_of_counter(description, column->column->name);
        if (chosen != NULL)
            why = "only one column can";
        else if (!is_integer(column->column))
            why = "its type is no integer";
        else if (found == NULL)
            why = "no index begins with it";
        if (why != NULL) {
            ddl_leave_out(across->plan, description->table,
                          "column %s will not count by itself: %s", column->column->name, why);
            continue;
        }
        chosen = column;
        *index = found;
    }
    return chosen;
}

static void append_generated(GString *sql, const ColumnDescription *column)
{
    g_string_append_printf(sql, " generated always as (%s) %s", column->expression,
                           column->stored ? "stored" : "virtual");
}

static void append_column(Across *across, GString *sql, const TableDescription *description,
                          const ColumnDescription *column, bool counts)
{
    const Column *moved = column->column;
    g_autofree char *what = g_strdup_printf("column %s", moved->name);
    g_string_append(sql, sql->len > 0 ? ", " : "");
    mysql_session_append_identifier(sql, moved->name);
    g_string_append_printf(sql, " %s", moved->target_type);
    if (moved->generated)
        append_generated(sql, column);
    else
        g_string_append(sql, moved->not_null ? " not null" : " null");
    if (column->srid != NULL && across->same_product)
        g_string_append_printf(sql, " srid %s", column->srid);
    if (counts)
        g_string_append(sql, " auto_increment");
    else if (!moved->generated)
        append_default(across, sql, description, column);
    if (column->on_update != NULL)
        g_string_append_printf(sql, " on update %s", column->on_update);
    if (column->invisible && across->same_product)
        g_string_append(sql, " invisible");
    append_comment(across, sql, description->table, what, column->comment, MOST_COLUMN_COMMENT);
}

/* --- Indexes ---------------------------------------------------------------------------------- */

/* How many characters or bytes of a part fit; 0: all of it. share: bytes for each part. */
static guint prefix_of(const Across *across, const Column *column, const IndexPart *part,
                       guint share)
{
    guint bytes = mysql_type_index_bytes(column->target_type);
    if (!is_from_pg(across) || (bytes > 0 && bytes <= share))
        return part->prefix;
    return MIN(PREFIX, share / (column->type_oid == OID_BYTEA ? 1 : 4));
}

/* Bytes of the whole index; 0 where a part has no length. */
static guint bytes_of(const TableDescription *description, const IndexDescription *index)
{
    guint total = 0;
    for (guint i = 0; i < index->parts->len; i++) {
        const IndexPart *part = &g_array_index(index->parts, IndexPart, i);
        guint bytes =
            mysql_type_index_bytes(find_column(description, part->column)->column->target_type);
        if (bytes == 0)
            return 0;
        total += bytes;
    }
    return total;
}

static char *parts_of(const Across *across, const TableDescription *description,
                      const IndexDescription *index)
{
    GString *parts = g_string_new(NULL);
    guint bytes = is_from_pg(across) ? bytes_of(description, index) : 0;
    guint share = bytes == 0 || bytes > INDEX_BYTES ? INDEX_BYTES / index->parts->len : INDEX_BYTES;
    for (guint i = 0; i < index->parts->len; i++) {
        const IndexPart *part = &g_array_index(index->parts, IndexPart, i);
        g_string_append(parts, i > 0 ? ", " : "");
        if (part->column == NULL) {
            g_string_append_printf(parts, "(%s)", part->expression);
        } else {
            const Column *column = find_column(description, part->column)->column;
            guint prefix = prefix_of(across, column, part, share);
            mysql_session_append_identifier(parts, part->column);
            if (prefix > 0)
                g_string_append_printf(parts, "(%u)", prefix);
        }
        if (part->descending)
            g_string_append(parts, " desc");
    }
    return g_string_free(parts, FALSE);
}

static bool has_json(const TableDescription *description, const IndexDescription *index)
{
    for (guint i = 0; i < index->parts->len; i++) {
        const IndexPart *part = &g_array_index(index->parts, IndexPart, i);
        if (part->column != NULL &&
            strcmp(find_column(description, part->column)->column->target_type, "json") == 0)
            return true;
    }
    return false;
}

/* What PostgreSQL's index can hold and this one cannot. */
static bool check_index_of_pg(Across *across, const TableDescription *description,
                              const IndexDescription *index)
{
    guint bytes = bytes_of(description, index);
    const char *why = NULL;
    if (has_json(description, index))
        why = "a json column cannot be in an index";
    else if (index->unique && (bytes == 0 || bytes > INDEX_BYTES))
        why = "it would be longer than the 3072 bytes of a unique index";
    if (why != NULL)
        ddl_leave_out(across->plan, description->table, "index %s will not be created: %s",
                      index->name, why);
    else if (index->has_included)
        ddl_leave_out(across->plan, description->table,
                      "index %s will be without its included columns", index->name);
    if (why == NULL && index->nulls_are_equal)
        ddl_leave_out(across->plan, description->table,
                      "index %s will take nulls for different from each other", index->name);
    return why == NULL;
}

static bool can_index(Across *across, const TableDescription *description,
                      const IndexDescription *index)
{
    static const char *const methods[] = {"btree", "hash", "rtree", "fulltext", "spatial", NULL};
    return across_can_index(across, description, index, methods) &&
           (!is_from_pg(across) || check_index_of_pg(across, description, index));
}

/* "unique key `name` (`a`, `b`(10) desc)", after "add " or within the table. */
static char *definition_of(Across *across, const TableDescription *description,
                           const IndexDescription *index)
{
    GString *sql = g_string_new(NULL);
    g_autofree char *parts = parts_of(across, description, index);
    g_autofree char *what = g_strdup_printf("index %s", index->name);
    if (index->primary) {
        g_string_append(sql, "primary key");
    } else {
        bool special =
            strcmp(index->method, "fulltext") == 0 || strcmp(index->method, "spatial") == 0;
        g_string_append_printf(sql, "%s key ",
                               special         ? index->method
                               : index->unique ? "unique"
                                               : "");
        mysql_session_append_identifier(sql, index->name);
    }
    g_string_append_printf(sql, " (%s)", parts);
    append_comment(across, sql, description->table, what, index->comment, MOST_COLUMN_COMMENT);
    if (index->invisible)
        g_string_append(sql, is_mariadb(across) ? " ignored" : " invisible");
    return g_strchug(g_string_free(sql, FALSE));
}

static void append_index(Across *across, GString *sql, const TableDescription *description,
                         IndexDescription *index)
{
    if (index->made || !can_index(across, description, index))
        return;
    g_autofree char *definition = definition_of(across, description, index);
    g_string_append_printf(sql, ", %s", definition);
    index->made = true;
}

/* The server builds one full text index at a time, and no other beside a spatial one. */
static bool is_alone(const IndexDescription *index)
{
    return strcmp(index->method, "fulltext") == 0 || strcmp(index->method, "spatial") == 0;
}

static void add_index_step(Across *across, const Table *table, const char *first,
                           const char *definitions)
{
    g_autofree char *target = ddl_target_of(across->plan, table);
    g_autofree char *quoted = ddl_quoted(across->plan, first);
    g_autofree char *label = g_strdup_printf("%s of %s", quoted, target);
    ddl_add_step(across->plan, table, "index", label, "alter table %s %s", target, definitions);
}

static void plan_indexes(Across *across, TableDescription *description)
{
    g_autoptr(GString) together = g_string_new(NULL);
    const char *first = NULL;
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (index->made || index->is_key || index->primary ||
            !can_index(across, description, index))
            continue;
        g_autofree char *definition = definition_of(across, description, index);
        g_autofree char *addition = g_strdup_printf("add %s", definition);
        index->made = true;
        if (is_alone(index)) {
            add_index_step(across, description->table, index->name, addition);
            continue;
        }
        first = first != NULL ? first : index->name;
        g_string_append_printf(together, "%s%s", together->len > 0 ? ", " : "", addition);
    }
    if (first != NULL)
        add_index_step(across, description->table, first, together->str);
}

/* --- Tables ----------------------------------------------------------------------------------- */

static void append_checks(Across *across, GString *sql, const TableDescription *description)
{
    for (guint i = 0; i < description->checks->len && across->same_product; i++) {
        const CheckDescription *check = g_ptr_array_index(description->checks, i);
        g_autofree char *name = ddl_take_name(across->plan, across->constraints,
                                              description->table->target_schema, check->name);
        g_string_append(sql, ", constraint ");
        mysql_session_append_identifier(sql, name);
        g_string_append_printf(sql, " check (%s)", check->expression);
    }
}

static void append_indexes_of_the_table(Across *across, GString *sql, TableDescription *description,
                                        IndexDescription *counter)
{
    for (guint i = 0; i < description->indexes->len; i++) {
        IndexDescription *index = g_ptr_array_index(description->indexes, i);
        if (index->is_key || index->primary || index == counter)
            append_index(across, sql, description, index);
    }
}

static void plan_table(Across *across, TableDescription *description)
{
    const Table *table = description->table;
    IndexDescription *index = NULL;
    const ColumnDescription *counter = choose_counter(across, description, &index);
    g_autofree char *name = ddl_target_of(across->plan, table);
    g_autoptr(GString) body = g_string_new(NULL);
    g_autoptr(GString) options = g_string_new(NULL);
    for (guint i = 0; i < description->columns->len; i++) {
        const ColumnDescription *column =
            &g_array_index(description->columns, ColumnDescription, i);
        if (column->column->target_type != NULL)
            append_column(across, body, description, column, column == counter);
    }
    append_indexes_of_the_table(across, body, description, index);
    append_checks(across, body, description);
    if (counter != NULL && description->next_number > 1)
        g_string_append_printf(options, " auto_increment = %" G_GUINT64_FORMAT,
                               description->next_number);
    append_comment(across, options, table, "the table", description->comment, MOST_TABLE_COMMENT);
    ddl_add_step(across->plan, table, "table", name,
                 "create table %s (%s) engine = InnoDB default character set utf8mb4%s", name,
                 body->str, options->str);
}

static void plan_key(Across *across, TableDescription *description, IndexDescription *index)
{
    (void)across;
    (void)description;
    (void)index; /* is part of the table */
}

/* --- Foreign keys ----------------------------------------------------------------------------- */

/* Columns of both sides must have the same type; of texts the length may differ. */
static bool types_agree(const char *left, const char *right)
{
    MysqlType a, b;
    mysql_type_parse(left, &a);
    mysql_type_parse(right, &b);
    bool texts = strstr(left, "char(") != NULL && strstr(right, "char(") != NULL;
    if (texts)
        return g_strcmp0(strstr(left, " character set"), strstr(right, " character set")) == 0;
    return strcmp(a.name, b.name) == 0 && a.is_unsigned == b.is_unsigned &&
           (strcmp(a.name, "decimal") != 0 || (a.length == b.length && a.scale == b.scale));
}

static bool all_types_agree(const TableDescription *description, const TableDescription *referenced,
                            const ForeignKeyDescription *key)
{
    for (guint i = 0; i < key->columns->len; i++) {
        const ColumnDescription *column =
            find_column(description, g_ptr_array_index(key->columns, i));
        const ColumnDescription *other =
            find_column(referenced, g_ptr_array_index(key->referenced_columns, i));
        if (!types_agree(column->column->target_type, other->column->target_type))
            return false;
    }
    return true;
}

static bool sets_null_where_it_cannot(const TableDescription *description,
                                      const ForeignKeyDescription *key)
{
    bool sets_null =
        strcmp(key->on_delete, "set null") == 0 || strcmp(key->on_update, "set null") == 0;
    for (guint i = 0; i < key->columns->len && sets_null; i++)
        if (find_column(description, g_ptr_array_index(key->columns, i))->column->not_null)
            return true;
    return false;
}

/* What PostgreSQL's key can do and this one cannot; NULL: nothing. */
static const char *problem_of_pg(const TableDescription *description,
                                 const TableDescription *referenced,
                                 const ForeignKeyDescription *key)
{
    const IndexDescription *index = description_unique_index(referenced, key->referenced_columns);
    if (index == NULL || !index->made)
        return "the unique index that it refers to is not created";
    if (strcmp(key->on_delete, "set default") == 0 || strcmp(key->on_update, "set default") == 0)
        return "it sets defaults";
    if (sets_null_where_it_cannot(description, key))
        return "it sets columns to null that are not null";
    if (key->peculiar != NULL && strcmp(key->peculiar, "is deferrable") != 0)
        return key->peculiar;
    return all_types_agree(description, referenced, key) ? NULL : "the types of its columns differ";
}

static void plan_foreign_key(Across *across, const TableDescription *description,
                             const TableDescription *referenced, const ForeignKeyDescription *key)
{
    const Table *table = description->table;
    const char *problem = is_from_pg(across) ? problem_of_pg(description, referenced, key) : NULL;
    if (problem != NULL) {
        ddl_leave_out(across->plan, table, "foreign key %s will not be created: %s", key->name,
                      problem);
        return;
    }
    if (key->peculiar != NULL)
        ddl_leave_out(across->plan, table, "foreign key %s will be checked by each statement",
                      key->name);
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

const Dialect dialect_mysql = {plan_table, plan_key, plan_indexes, plan_foreign_key};
