/*
 * The target's half of the preflight: may drover write there, is there room for the names, and has
 * it what the tables' definitions use.
 */
#include "schema/catalog_pg.h"
#include "schema/check_internal.h"
#include "schema/sql/embedded.h"
#include "schema/text_array.h"

#include <string.h>

/* PostgreSQL: text, bpchar, varchar, name ("C", so that it never differs). */
static bool has_default_collation(const Column *column)
{
    return column->collation == NULL &&
           (column->type_oid == 25 || column->type_oid == 1042 || column->type_oid == 1043);
}

static char *array_of(const GPtrArray *texts)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new();
    for (guint i = 0; i < texts->len; i++)
        g_ptr_array_add(list, g_ptr_array_index(texts, i));
    g_ptr_array_add(list, NULL);
    GString *literal = g_string_new(NULL);
    text_array_append(literal, (const char *const *)list->pdata);
    return g_string_free(literal, FALSE);
}

static bool check_server(Check *check, GError **error)
{
    g_autofree char *major = g_strdup_printf("%d", pg_server_major(check->source));
    const char *values[] = {major, check->source_encoding};
    return check_add_rows(check, check->target, embedded_check_target, 2, values, error);
}

static bool check_privileges(Check *check, GError **error)
{
    g_autoptr(GPtrArray) schemas = g_ptr_array_new();
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        g_ptr_array_add(schemas, table->target_schema);
    }
    g_autofree char *array = array_of(schemas);
    const char *values[] = {array};
    return check_add_missing(check, check->target, "target.privileges",
                             embedded_check_target_privileges, 1, values, error);
}

/* Asked by trying: some hosters give the right in ways that no privilege function knows. */
static bool check_replica_role(Check *check, GError **error)
{
    static const char name[] = "target.session_replication_role";
    g_autoptr(GError) problem = NULL;
    if (!pg_run(check->target, "begin", error))
        return false;
    bool allowed = pg_run(check->target, "set local session_replication_role = replica", &problem);
    if (!pg_run(check->target, "rollback", error))
        return false;
    if (allowed) {
        check_add(check, FINDING_PASS, name, NULL,
                  "role %s can keep triggers and foreign keys from firing", PQuser(check->target));
        return true;
    }
    if (drover_error_is_retry(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    g_autoptr(GString) role = g_string_new(NULL);
    pg_append_identifier(role, PQuser(check->target));
    g_autofree char *remedy =
        pg_server_major(check->target) >= 15
            ? g_strdup_printf("grant set on parameter session_replication_role to %s;", role->str)
            : g_strdup_printf("alter role %s superuser;", role->str);
    check_add(check, FINDING_FAIL, name, remedy,
              "role %s may not set session_replication_role, which keeps triggers and foreign keys "
              "from firing for drover's writes",
              PQuser(check->target));
    return true;
}

static bool check_empty(Check *check, GError **error)
{
    if (check->started)
        return true;
    g_autofree char *names = array_of(check->relations);
    const char *values[] = {names};
    g_autoptr(PGresult) result =
        pg_query_params(check->target, embedded_check_target_taken, 1, values, error);
    if (result == NULL)
        return false;
    for (int row = 0; row < PQntuples(result); row++)
        check_add(check, FINDING_FAIL, "target.empty", PQgetvalue(result, row, 1),
                  "target not empty: %s exists", PQgetvalue(result, row, 0));
    if (PQntuples(result) == 0)
        check_add(check, FINDING_PASS, "target.empty", NULL,
                  "nothing on the target has the name of a moved table");
    return true;
}

/* One object that definitions use, a row of check_needs.sql. The target is asked by its address,
 * which fails where the object is not there. */
static bool check_need(Check *check, const PGresult *needs, int row, bool *complete, GError **error)
{
    const char *values[] = {PQgetvalue(needs, row, 0), PQgetvalue(needs, row, 1),
                            PQgetvalue(needs, row, 2)};
    g_autoptr(GError) problem = NULL;
    g_autoptr(PGresult) found = pg_query_params(
        check->target, "select pg_catalog.pg_get_object_address($1, $2::text[], $3::text[])", 3,
        values, &problem);
    if (found != NULL)
        return true;
    if (drover_error_is_retry(problem)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return false;
    }
    const char *extension = PQgetisnull(needs, row, 5) ? NULL : PQgetvalue(needs, row, 5);
    g_autoptr(GString) remedy = g_string_new(NULL);
    if (extension != NULL) {
        g_string_append(remedy, "create extension ");
        pg_append_identifier(remedy, extension);
        g_string_append_c(remedy, ';');
    } else {
        g_string_append_printf(remedy, "create %s %s on the target as it is on the source",
                               values[0], PQgetvalue(needs, row, 3));
    }
    *complete = false;
    check_add(check, FINDING_FAIL, "target.objects", remedy->str,
              "%s %s, which %s uses, does not exist on the target", values[0],
              PQgetvalue(needs, row, 3), PQgetvalue(needs, row, 4));
    return true;
}

static bool check_needs(Check *check, GError **error)
{
    g_autofree char *oids = catalog_pg_oids(check->migration->tables);
    const char *values[] = {oids};
    bool complete = true;
    g_autoptr(PGresult) needs =
        pg_query_params(check->source, embedded_check_needs, 1, values, error);
    if (needs == NULL)
        return false;
    for (int row = 0; row < PQntuples(needs); row++)
        if (!check_need(check, needs, row, &complete, error))
            return false;
    if (complete)
        check_add(check, FINDING_PASS, "target.objects", NULL,
                  "the target has every function, type and collation that the tables use");
    return true;
}

static bool database_collation(PGconn *connection, char **text, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, embedded_check_collation, error);
    if (result == NULL)
        return false;
    *text = g_strdup(PQgetvalue(result, 0, 0));
    return true;
}

/* Text keys sort by the database's collation where the column names none. */
static bool check_default_collation(Check *check, GError **error)
{
    g_autofree char *source = NULL;
    g_autofree char *target = NULL;
    if (!database_collation(check->source, &source, error) ||
        !database_collation(check->target, &target, error))
        return false;
    if (strcmp(source, target) == 0)
        return true;
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        for (guint k = 0; k < table->n_key; k++) {
            const Column *column = &table->columns[table->key[k]];
            if (has_default_collation(column))
                check_add(check, FINDING_WARN, "target.collation", NULL,
                          "%s: the key column %s sorts by \"%s\" on the source and by \"%s\" on "
                          "the target: the order of rows will differ",
                          table->label, column->name, source, target);
        }
    }
    return true;
}

static PGresult *coarse_collations(PGconn *connection, const char *names, GError **error)
{
    const char *values[] = {names};
    return pg_query_params(connection, embedded_check_collations, 1, values, error);
}

static bool contains(const PGresult *result, const char *name)
{
    for (int row = 0; row < PQntuples(result); row++)
        if (strcmp(PQgetvalue(result, row, 0), name) == 0)
            return true;
    return false;
}

/* A collation of the target that calls texts equal which the source tells apart loses rows. */
static bool check_key_collations(Check *check, GError **error)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new();
    g_autoptr(GPtrArray) owners = g_ptr_array_new();
    for (guint i = 0; i < check->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(check->migration->tables, i);
        for (guint k = 0; k < table->n_key; k++) {
            if (table->columns[table->key[k]].collation == NULL)
                continue;
            g_ptr_array_add(names, table->columns[table->key[k]].collation);
            g_ptr_array_add(owners, table->label);
        }
    }
    g_autofree char *array = array_of(names);
    g_autoptr(PGresult) source = coarse_collations(check->source, array, error);
    if (source == NULL)
        return false;
    g_autoptr(PGresult) target = coarse_collations(check->target, array, error);
    if (target == NULL)
        return false;
    for (guint i = 0; i < names->len; i++) {
        const char *name = g_ptr_array_index(names, i);
        if (contains(target, name) && !contains(source, name))
            check_add(check, FINDING_FAIL, "target.collation",
                      "create the collation on the target as it is on the source, deterministic",
                      "%s: the collation %s of its key is coarser on the target: it calls keys "
                      "equal that differ on the source",
                      (const char *)g_ptr_array_index(owners, i), name);
    }
    return true;
}

bool check_target(Check *check, GError **error)
{
    return check_server(check, error) && check_privileges(check, error) &&
           check_replica_role(check, error) && check_empty(check, error) &&
           check_needs(check, error) && check_default_collation(check, error) &&
           check_key_collations(check, error);
}
