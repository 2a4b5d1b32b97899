/*
 * From PostgreSQL to PostgreSQL: the statements are made of the server's own definitions; only the
 * names of tables, schemas, indexes and sequences are put in by us.
 */
#include "schema/catalog_pg.h"
#include "schema/ddl_internal.h"
#include "schema/sql/embedded.h"

#include <string.h>

typedef struct Plan {
    DdlPlan *base;
    char *oids;
    GHashTable *by_oid;   /* guint32 -> Table */
    GHashTable *literals; /* a sequence as it stands in defaults -> the same on the target */
    PGresult *sequences;
    PGresult *options;
    PGresult *identities;
    PGresult *indexes;
    PGresult *constraints;
} Plan;

static void plan_clear(Plan *plan)
{
    g_free(plan->oids);
    g_clear_pointer(&plan->by_oid, g_hash_table_unref);
    g_clear_pointer(&plan->literals, g_hash_table_unref);
    PQclear(plan->sequences);
    PQclear(plan->options);
    PQclear(plan->identities);
    PQclear(plan->indexes);
    PQclear(plan->constraints);
}

static const char *get(const PGresult *result, int row, const char *column)
{
    int place = PQfnumber(result, column);
    return PQgetisnull(result, row, place) ? NULL : PQgetvalue(result, row, place);
}

static bool get_bool(const PGresult *result, int row, const char *column)
{
    return g_strcmp0(get(result, row, column), "t") == 0;
}

static const Table *get_table(const Plan *plan, const PGresult *result, int row, const char *column)
{
    const char *oid = get(result, row, column);
    guint number = oid == NULL ? 0 : (guint)g_ascii_strtoull(oid, NULL, 10);
    return g_hash_table_lookup(plan->by_oid, GUINT_TO_POINTER(number));
}

static char *qualified(const char *schema, const char *name)
{
    GString *text = g_string_new(NULL);
    pg_append_qualified(text, schema, name);
    return g_string_free(text, FALSE);
}

static char *quoted(const char *name)
{
    GString *text = g_string_new(NULL);
    pg_append_identifier(text, name);
    return g_string_free(text, FALSE);
}

static char *take_name(Plan *plan, const char *schema, const char *name)
{
    return ddl_take_name(plan->base, plan->base->taken, schema, name);
}

/* A sequence goes where the table goes that owns it (PostgreSQL wants both in one schema), else
 * where the first table goes that uses it. */
static bool plan_sequences(Plan *plan, GError **error)
{
    const PGresult *rows = plan->sequences;
    for (int row = 0; row < PQntuples(rows); row++) {
        const Table *owner = get_table(plan, rows, row, "owner_table");
        const Table *table = owner != NULL ? owner : get_table(plan, rows, row, "table_oid");
        g_autofree char *taken = take_name(plan, table->target_schema, get(rows, row, "relname"));
        g_autofree char *name = qualified(table->target_schema, taken);
        g_autoptr(GString) literal = g_string_new(NULL);
        if (!pg_append_literal(plan->base->source->pg, literal, name, error))
            return false;
        g_string_append(literal, "::regclass");
        g_hash_table_insert(plan->literals, g_strdup(get(rows, row, "literal")),
                            g_strdup(literal->str));
        ddl_add_step(plan->base, table, "sequence", name, "create sequence %s %s", name,
                     get(rows, row, "options"));
        if (owner == NULL)
            continue;
        g_autofree char *target = ddl_target_of(plan->base, owner);
        g_autofree char *column = quoted(get(rows, row, "owner_column"));
        ddl_add_last_step(plan->base, owner, "sequence_owner", name,
                          "alter sequence %s owned by %s.%s", name, target, column);
    }
    return true;
}

/* The literal of `literals` that text begins with. */
static bool starts_with_literal(const Plan *plan, const char *text, const char **from,
                                const char **to)
{
    GHashTableIter iter;
    g_hash_table_iter_init(&iter, plan->literals);
    while (g_hash_table_iter_next(&iter, (gpointer *)from, (gpointer *)to))
        if (g_str_has_prefix(text, *from))
            return true;
    return false;
}

/* A default with the names of the sequences on the target. One pass, so that a new name is never
 * taken for another sequence's old one. */
static char *target_default(const Plan *plan, const char *expression)
{
    GString *text = g_string_new(NULL);
    const char *from, *to;
    for (const char *c = expression; *c != '\0';) {
        if (*c == '\'' && starts_with_literal(plan, c, &from, &to)) {
            g_string_append(text, to);
            c += strlen(from);
        } else {
            g_string_append_c(text, *c++);
        }
    }
    return g_string_free(text, FALSE);
}

static void append_identity(Plan *plan, GString *sql, const Table *table, const Column *column)
{
    const PGresult *rows = plan->identities;
    g_string_append_printf(sql, " generated %s as identity",
                           column->identity == 'a' ? "always" : "by default");
    for (int row = 0; row < PQntuples(rows); row++) {
        if (get_table(plan, rows, row, "table_oid") != table ||
            g_ascii_strtoll(get(rows, row, "number"), NULL, 10) != column->number)
            continue;
        g_autofree char *taken = take_name(plan, table->target_schema, get(rows, row, "relname"));
        g_autofree char *name = qualified(table->target_schema, taken);
        g_string_append_printf(sql, " (sequence name %s %s)", name, get(rows, row, "options"));
        return;
    }
}

static void append_column(Plan *plan, GString *sql, const Table *table, const Column *column)
{
    pg_append_identifier(sql, column->name);
    g_string_append_printf(sql, " %s", column->type);
    if (column->collation != NULL)
        g_string_append_printf(sql, " collate %s", column->collation);
    if (column->not_null)
        g_string_append(sql, " not null");
    if (column->identity != '\0') {
        append_identity(plan, sql, table, column);
    } else if (column->generated) {
        g_string_append_printf(sql, " generated always as (%s) stored", column->default_sql);
    } else if (column->default_sql != NULL) {
        g_autofree char *expression = target_default(plan, column->default_sql);
        g_string_append_printf(sql, " default %s", expression);
    }
}

/* The moved and the generated columns in the order of the source. */
static void append_columns(Plan *plan, GString *sql, const Table *table)
{
    guint moved = 0, generated = 0;
    while (moved < table->n_columns || generated < table->n_generated) {
        const Column *column;
        if (generated == table->n_generated ||
            (moved < table->n_columns &&
             table->columns[moved].number < table->generated[generated].number))
            column = &table->columns[moved++];
        else
            column = &table->generated[generated++];
        if (moved + generated > 1)
            g_string_append(sql, ", ");
        append_column(plan, sql, table, column);
    }
}

static int options_row(const Plan *plan, const Table *table)
{
    for (int row = 0; row < PQntuples(plan->options); row++)
        if (get_table(plan, plan->options, row, "oid") == table)
            return row;
    return -1;
}

static void plan_table(Plan *plan, const Table *table)
{
    g_autofree char *name = ddl_target_of(plan->base, table);
    g_autoptr(GString) sql = g_string_new(NULL);
    int row = options_row(plan, table);
    const char *options = row < 0 ? NULL : get(plan->options, row, "options");
    const char *actions = row < 0 ? NULL : get(plan->options, row, "column_actions");
    append_columns(plan, sql, table);
    if (options != NULL)
        ddl_add_step(plan->base, table, "table", name, "create table %s (%s) with (%s)", name,
                     sql->str, options);
    else
        ddl_add_step(plan->base, table, "table", name, "create table %s (%s)", name, sql->str);
    if (actions != NULL)
        ddl_add_step(plan->base, table, "table", name, "alter table %s %s", name, actions);
}

static void plan_constraint(Plan *plan, const Table *table, int row, const char *kind)
{
    const PGresult *rows = plan->constraints;
    g_autofree char *target = ddl_target_of(plan->base, table);
    const char *type = get(rows, row, "contype");
    const char *name = get(rows, row, "conname");
    /* All but checks have an index, which shares the names of relations. */
    g_autofree char *taken =
        type[0] == 'c' ? g_strdup(name) : take_name(plan, table->target_schema, name);
    g_autofree char *constraint = quoted(taken);
    g_autofree char *label = g_strdup_printf("%s of %s", constraint, target);
    ddl_add_step(plan->base, table, kind, label, "alter table %s add constraint %s %s", target,
                 constraint, get(rows, row, "definition"));
    if (strcmp(kind, "key") == 0 && !table->key_is_primary)
        ddl_add_step(plan->base, table, kind, label,
                     "alter table %s replica identity using index %s", target, constraint);
}

static bool plan_index(Plan *plan, const Table *table, int row, const char *kind, GError **error)
{
    const PGresult *rows = plan->indexes;
    const char *tail = get(rows, row, "tail");
    if (tail == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%s: the definition of index %s does not begin as expected", table->label,
                    get(rows, row, "relname"));
        return false;
    }
    g_autofree char *target = ddl_target_of(plan->base, table);
    g_autofree char *taken = take_name(plan, table->target_schema, get(rows, row, "relname"));
    g_autofree char *index = quoted(taken);
    g_autofree char *name = qualified(table->target_schema, taken);
    ddl_add_step(plan->base, table, kind, name, "create %sindex %s on %s %s",
                 get_bool(rows, row, "indisunique") ? "unique " : "", index, target, tail);
    if (strcmp(kind, "key") == 0)
        ddl_add_step(plan->base, table, kind, name,
                     "alter table %s replica identity using index %s", target, index);
    return true;
}

/* Is this index or constraint the table's key? A constraint has the name of its index. */
static bool is_key(const Table *table, const PGresult *rows, int row, const char *column)
{
    return g_strcmp0(table->key_name, get(rows, row, column)) == 0;
}

static bool has_index(const char *type)
{
    return strchr("pux", type[0]) != NULL;
}

static bool plan_keys(Plan *plan, GError **error)
{
    for (int row = 0; row < PQntuples(plan->constraints); row++) {
        const Table *table = get_table(plan, plan->constraints, row, "conrelid");
        if (has_index(get(plan->constraints, row, "contype")) &&
            is_key(table, plan->constraints, row, "conname"))
            plan_constraint(plan, table, row, "key");
    }
    for (int row = 0; row < PQntuples(plan->indexes); row++) {
        const Table *table = get_table(plan, plan->indexes, row, "indrelid");
        if (is_key(table, plan->indexes, row, "relname") &&
            !plan_index(plan, table, row, "key", error))
            return false;
    }
    for (int row = 0; row < PQntuples(plan->options); row++) {
        const Table *table = get_table(plan, plan->options, row, "oid");
        g_autofree char *target = ddl_target_of(plan->base, table);
        if (get_bool(plan->options, row, "replica_full"))
            ddl_add_step(plan->base, table, "key", target, "alter table %s replica identity full",
                         target);
    }
    return true;
}

static bool plan_indexes(Plan *plan, GError **error)
{
    for (int row = 0; row < PQntuples(plan->indexes); row++) {
        const Table *table = get_table(plan, plan->indexes, row, "indrelid");
        if (is_key(table, plan->indexes, row, "relname"))
            continue;
        if (!get_bool(plan->indexes, row, "indisvalid")) {
            g_autofree char *name =
                qualified(table->source_schema, get(plan->indexes, row, "relname"));
            ddl_leave_out(
                plan->base, table,
                "index %s is invalid (a concurrent build failed) and will not be created\n"
                "reindex index concurrently %s;",
                get(plan->indexes, row, "relname"), name);
            continue;
        }
        if (!plan_index(plan, table, row, "index", error))
            return false;
    }
    return true;
}

static void plan_constraints(Plan *plan)
{
    for (int row = 0; row < PQntuples(plan->constraints); row++) {
        const Table *table = get_table(plan, plan->constraints, row, "conrelid");
        const char *type = get(plan->constraints, row, "contype");
        if (type[0] == 'f' || (has_index(type) && is_key(table, plan->constraints, row, "conname")))
            continue;
        plan_constraint(plan, table, row, "constraint");
    }
}

static bool plan_foreign_key(Plan *plan, const Table *table, int row, GError **error)
{
    const PGresult *rows = plan->constraints;
    const Table *referenced = get_table(plan, rows, row, "confrelid");
    const char *tail = get(rows, row, "tail");
    if (referenced == NULL) {
        ddl_leave_out(plan->base, table, "foreign key %s will not be created: %s is not moved",
                      get(rows, row, "conname"), get(rows, row, "referenced"));
        return true;
    }
    if (tail == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%s: the definition of foreign key %s does not begin as expected", table->label,
                    get(rows, row, "conname"));
        return false;
    }
    g_autofree char *from = ddl_target_of(plan->base, table);
    g_autofree char *to = ddl_target_of(plan->base, referenced);
    g_autofree char *name = quoted(get(rows, row, "conname"));
    g_autofree char *label = g_strdup_printf("%s of %s", name, from);
    ddl_add_step(plan->base, table, "foreign_key", label,
                 "alter table %s add constraint %s foreign key (%s) references %s%s", from, name,
                 get(rows, row, "columns"), to, tail);
    return true;
}

static bool plan_foreign_keys(Plan *plan, GError **error)
{
    for (int row = 0; row < PQntuples(plan->constraints); row++) {
        const Table *table = get_table(plan, plan->constraints, row, "conrelid");
        if (get(plan->constraints, row, "contype")[0] == 'f' &&
            !plan_foreign_key(plan, table, row, error))
            return false;
    }
    return true;
}

static PGresult *ask(Plan *plan, const char *sql, GError **error)
{
    const char *values[] = {plan->oids};
    return pg_query_params(plan->base->source->pg, sql, 1, values, error);
}

static bool plan_read(Plan *plan, GError **error)
{
    return (plan->sequences = ask(plan, embedded_ddl_sequences, error)) != NULL &&
           (plan->options = ask(plan, embedded_ddl_tables, error)) != NULL &&
           (plan->identities = ask(plan, embedded_ddl_identities, error)) != NULL &&
           (plan->indexes = ask(plan, embedded_ddl_indexes, error)) != NULL &&
           (plan->constraints = ask(plan, embedded_ddl_constraints, error)) != NULL;
}

static void plan_init(Plan *plan)
{
    plan->oids = catalog_pg_oids(plan->base->tables);
    plan->by_oid = g_hash_table_new(NULL, NULL);
    plan->literals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (guint i = 0; i < plan->base->tables->len; i++) {
        Table *table = g_ptr_array_index(plan->base->tables, i);
        g_hash_table_insert(plan->by_oid, GUINT_TO_POINTER(table->source_oid), table);
    }
}

static bool plan_make(Plan *plan, GError **error)
{
    if (!plan_read(plan, error) || !plan_sequences(plan, error))
        return false;
    for (guint i = 0; i < plan->base->tables->len; i++)
        plan_table(plan, g_ptr_array_index(plan->base->tables, i));
    if (!plan_keys(plan, error) || !plan_indexes(plan, error))
        return false;
    plan_constraints(plan);
    return plan_foreign_keys(plan, error);
}

bool ddl_plan_pg(DdlPlan *base, GError **error)
{
    Plan plan = {.base = base};
    plan_init(&plan);
    bool done = plan_make(&plan, error);
    plan_clear(&plan);
    return done;
}
