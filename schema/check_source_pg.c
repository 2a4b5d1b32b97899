/*
 * The preflight of a source that is PostgreSQL.
 */
#include "schema/catalog_pg.h"
#include "schema/check_internal.h"
#include "schema/sql/embedded.h"

#include <string.h>

#define OLDEST 140000 /* older servers' catalogs cannot be read */

static bool read_identity(Check *check, GError **error)
{
    g_autoptr(PGresult) result = pg_query(check->source->pg, embedded_check_identity, error);
    if (result == NULL)
        return false;
    check->preflight->source_identity = g_strdup(PQgetvalue(result, 0, 0));
    check->source_encoding = g_strdup(PQgetvalue(result, 0, 1));
    return true;
}

/* Other servers want to know what characters a text has. */
static void check_encoding(Check *check)
{
    if (check->target->pg == NULL && strcmp(check->source_encoding, "SQL_ASCII") == 0)
        check_add(
            check, FINDING_FAIL, "source.encoding",
            "dump the database and restore it into one with the encoding that its texts have",
            "the source's encoding is SQL_ASCII: what characters its texts have is not known");
}

bool check_source_pg(Check *check, bool *readable, GError **error)
{
    const char *values[] = {check->migration->slot, check->started ? "true" : "false"};
    *readable = check->source->version >= OLDEST;
    if (!read_identity(check, error) ||
        !check_add_rows_pg(check, check->source, embedded_check_source, 2, values, error))
        return false;
    check_encoding(check);
    return true;
}

bool check_source_pg_tables(Check *check, GError **error)
{
    g_autofree char *oids = catalog_pg_oids(check->migration->tables);
    const char *values[] = {oids, check->started ? "true" : "false"};
    return check_add_missing_pg(check, check->source, "source.privileges",
                                embedded_check_source_privileges, 2, values, error);
}
