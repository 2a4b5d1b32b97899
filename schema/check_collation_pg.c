/*
 * The order and the equality of texts in keys, where both sides are PostgreSQL.
 */
#include "schema/check_internal.h"
#include "schema/sql/embedded.h"

#include <string.h>

/* PostgreSQL: text, bpchar, varchar, name ("C", so that it never differs). */
static bool has_default_collation(const Column *column)
{
    return column->collation == NULL &&
           (column->type_oid == 25 || column->type_oid == 1042 || column->type_oid == 1043);
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
    if (!database_collation(check->source->pg, &source, error) ||
        !database_collation(check->target->pg, &target, error))
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
    g_autofree char *array = check_array_of(names);
    g_autoptr(PGresult) source = coarse_collations(check->source->pg, array, error);
    if (source == NULL)
        return false;
    g_autoptr(PGresult) target = coarse_collations(check->target->pg, array, error);
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

bool check_collations_pg(Check *check, GError **error)
{
    return check_default_collation(check, error) && check_key_collations(check, error);
}
