#include "schema/ddl.h"
#include "schema/catalog_pg.h"
#include "schema/sql/embedded.h"

#include <string.h>

#define MAX_IDENTIFIER 63

/* A plan in the making. The statements are made of the server's own definitions; only the names of
 * tables, schemas, indexes and sequences are put in by us. */
typedef struct Plan {
    PGconn *source;
    const GPtrArray *tables;
    char *oids;
    GHashTable *by_oid;   /* guint32 -> Table */
    GHashTable *taken;    /* qualified names of relations on the target */
    GHashTable *literals; /* a sequence as it stands in defaults -> the same on the target */
    GPtrArray *steps;     /* DdlStep */
    GPtrArray *left_out;  /* char *; NULL: nobody asks */
    PGresult *sequences;
    PGresult *options;
    PGresult *identities;
    PGresult *indexes;
    PGresult *constraints;
} Plan;

static void ddl_step_free(DdlStep *step)
{
    g_free(step->kind);
    g_free(step->name);
    g_free(step->statement);
    g_free(step);
}

static void plan_clear(Plan *plan)
{
    g_free(plan->oids);
    g_clear_pointer(&plan->by_oid, g_hash_table_unref);
    g_clear_pointer(&plan->taken, g_hash_table_unref);
    g_clear_pointer(&plan->literals, g_hash_table_unref);
    g_clear_pointer(&plan->steps, g_ptr_array_unref);
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

static char *target_of(const Table *table)
{
    return qualified(table->target_schema, table->target_name);
}

static void add_step(Plan *plan, const Table *table, const char *kind, const char *name,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);

static void add_step(Plan *plan, const Table *table, const char *kind, const char *name,
                     const char *format, ...)
{
    DdlStep *step = g_new0(DdlStep, 1);
    va_list arguments;
    va_start(arguments, format);
    step->table_id = table == NULL ? 0 : table->id;
    step->kind = g_strdup(kind);
    step->name = g_strdup(name);
    step->statement = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(plan->steps, step);
}

static void leave_out(Plan *plan, const Table *table, const char *format, ...) G_GNUC_PRINTF(3, 4);

static void leave_out(Plan *plan, const Table *table, const char *format, ...)
{
    if (plan->left_out == NULL)
        return;
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *text = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_ptr_array_add(plan->left_out, g_strdup_printf("%s: %s", table->label, text));
}

/* Takes a relation's name in a target schema; with a number behind it where tables of two schemas,
 * mapped into one, bring the same name. */
static char *take_name(Plan *plan, const char *schema, const char *name)
{
    g_autofree char *candidate = g_strdup(name);
    for (guint number = 2;; number++) {
        if (g_hash_table_add(plan->taken, qualified(schema, candidate)))
            return g_steal_pointer(&candidate);
        g_autofree char *suffix = g_strdup_printf("_%u", number);
        gsize keep = strlen(name);
        while (keep + strlen(suffix) > MAX_IDENTIFIER)
            keep = (gsize)(g_utf8_find_prev_char(name, name + keep) - name);
        g_free(candidate);
        candidate = g_strdup_printf("%.*s%s", (int)keep, name, suffix);
    }
}

static void plan_schemas(Plan *plan)
{
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < plan->tables->len; i++) {
        const Table *table = g_ptr_array_index(plan->tables, i);
        if (!g_hash_table_add(seen, table->target_schema))
            continue;
        g_autofree char *name = quoted(table->target_schema);
        add_step(plan, NULL, "schema", name, "create schema if not exists %s", name);
    }
}

/* A sequence goes where the table goes that owns it (PostgreSQL wants both in one schema), else
 * where the first table goes that uses it. */
static bool plan_sequences(Plan *plan, GPtrArray *owners, GError **error)
{
    const PGresult *rows = plan->sequences;
    for (int row = 0; row < PQntuples(rows); row++) {
        const Table *owner = get_table(plan, rows, row, "owner_table");
        const Table *table = owner != NULL ? owner : get_table(plan, rows, row, "table_oid");
        g_autofree char *taken = take_name(plan, table->target_schema, get(rows, row, "relname"));
        g_autofree char *name = qualified(table->target_schema, taken);
        g_autoptr(GString) literal = g_string_new(NULL);
        if (!pg_append_literal(plan->source, literal, name, error))
            return false;
        g_string_append(literal, "::regclass");
        g_hash_table_insert(plan->literals, g_strdup(get(rows, row, "literal")),
                            g_strdup(literal->str));
        add_step(plan, table, "sequence", name, "create sequence %s %s", name,
                 get(rows, row, "options"));
        if (owner == NULL)
            continue;
        g_autofree char *target = target_of(owner);
        g_autofree char *column = quoted(get(rows, row, "owner_column"));
        DdlStep *step = g_new0(DdlStep, 1);
        step->table_id = owner->id;
        step->kind = g_strdup("sequence_owner");
        step->name = g_strdup(name);
        step->statement = g_strdup_printf("alter sequence %s owned by %s.%s", name, target, column);
        g_ptr_array_add(owners, step);
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
    g_autofree char *name = target_of(table);
    g_autoptr(GString) sql = g_string_new(NULL);
    int row = options_row(plan, table);
    const char *options = row < 0 ? NULL : get(plan->options, row, "options");
    const char *actions = row < 0 ? NULL : get(plan->options, row, "column_actions");
    append_columns(plan, sql, table);
    if (options != NULL)
        add_step(plan, table, "table", name, "create table %s (%s) with (%s)", name, sql->str,
                 options);
    else
        add_step(plan, table, "table", name, "create table %s (%s)", name, sql->str);
    if (actions != NULL)
        add_step(plan, table, "table", name, "alter table %s %s", name, actions);
}

static void plan_constraint(Plan *plan, const Table *table, int row, const char *kind)
{
    const PGresult *rows = plan->constraints;
    g_autofree char *target = target_of(table);
    const char *type = get(rows, row, "contype");
    const char *name = get(rows, row, "conname");
    /* All but checks have an index, which shares the names of relations. */
    g_autofree char *taken =
        type[0] == 'c' ? g_strdup(name) : take_name(plan, table->target_schema, name);
    g_autofree char *constraint = quoted(taken);
    g_autofree char *label = g_strdup_printf("%s of %s", constraint, target);
    add_step(plan, table, kind, label, "alter table %s add constraint %s %s", target, constraint,
             get(rows, row, "definition"));
    if (strcmp(kind, "key") == 0 && !table->key_is_primary)
        add_step(plan, table, kind, label, "alter table %s replica identity using index %s", target,
                 constraint);
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
    g_autofree char *target = target_of(table);
    g_autofree char *taken = take_name(plan, table->target_schema, get(rows, row, "relname"));
    g_autofree char *index = quoted(taken);
    g_autofree char *name = qualified(table->target_schema, taken);
    add_step(plan, table, kind, name, "create %sindex %s on %s %s",
             get_bool(rows, row, "indisunique") ? "unique " : "", index, target, tail);
    if (strcmp(kind, "key") == 0)
        add_step(plan, table, kind, name, "alter table %s replica identity using index %s", target,
                 index);
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
        g_autofree char *target = target_of(table);
        if (get_bool(plan->options, row, "replica_full"))
            add_step(plan, table, "key", target, "alter table %s replica identity full", target);
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
            leave_out(plan, table,
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
        leave_out(plan, table, "foreign key %s will not be created: %s is not moved",
                  get(rows, row, "conname"), get(rows, row, "referenced"));
        return true;
    }
    if (tail == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "%s: the definition of foreign key %s does not begin as expected", table->label,
                    get(rows, row, "conname"));
        return false;
    }
    g_autofree char *from = target_of(table);
    g_autofree char *to = target_of(referenced);
    g_autofree char *name = quoted(get(rows, row, "conname"));
    g_autofree char *label = g_strdup_printf("%s of %s", name, from);
    add_step(plan, table, "foreign_key", label,
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
    return pg_query_params(plan->source, sql, 1, values, error);
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
    plan->oids = catalog_pg_oids(plan->tables);
    plan->by_oid = g_hash_table_new(NULL, NULL);
    plan->taken = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    plan->literals = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    plan->steps = g_ptr_array_new_with_free_func((GDestroyNotify)ddl_step_free);
    for (guint i = 0; i < plan->tables->len; i++) {
        Table *table = g_ptr_array_index(plan->tables, i);
        g_hash_table_insert(plan->by_oid, GUINT_TO_POINTER(table->source_oid), table);
        g_free(take_name(plan, table->target_schema, table->target_name));
    }
}

static bool plan_make(Plan *plan, GError **error)
{
    g_autoptr(GPtrArray) owners = g_ptr_array_new();
    bool done = false;
    plan_schemas(plan);
    if (plan_read(plan, error) && plan_sequences(plan, owners, error)) {
        for (guint i = 0; i < plan->tables->len; i++)
            plan_table(plan, g_ptr_array_index(plan->tables, i));
        done = plan_keys(plan, error) && plan_indexes(plan, error);
    }
    if (done) {
        plan_constraints(plan);
        done = plan_foreign_keys(plan, error);
    }
    g_ptr_array_extend_and_steal(plan->steps, g_steal_pointer(&owners));
    for (guint i = 0; done && i < plan->tables->len; i++) {
        const Table *table = g_ptr_array_index(plan->tables, i);
        g_autofree char *name = target_of(table);
        add_step(plan, table, "analyze", name, "analyze %s", name);
    }
    return done;
}

static void add_relations(const Plan *plan, GPtrArray *relations)
{
    GHashTableIter iter;
    gpointer name;
    g_hash_table_iter_init(&iter, plan->taken);
    while (g_hash_table_iter_next(&iter, &name, NULL))
        g_ptr_array_add(relations, g_strdup(name));
}

GPtrArray *ddl_plan_full(PGconn *source, GPtrArray *tables, GPtrArray *left_out,
                         GPtrArray *relations, GError **error)
{
    Plan plan = {.source = source, .tables = tables, .left_out = left_out};
    plan_init(&plan);
    GPtrArray *steps = NULL;
    if (plan_make(&plan, error))
        steps = g_steal_pointer(&plan.steps);
    else
        g_prefix_error(error, "planning the target's tables: ");
    if (steps != NULL && relations != NULL)
        add_relations(&plan, relations);
    plan_clear(&plan);
    return steps;
}

GPtrArray *ddl_plan(PGconn *source, GPtrArray *tables, GError **error)
{
    return ddl_plan_full(source, tables, NULL, NULL, error);
}
