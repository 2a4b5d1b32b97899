#include "deploy/stored.h"

#include "proto/error.h"
#include "schema/sql/embedded.h"

#include <string.h>
#include <xxhash.h>

enum { HEX_SIZE = 24 };

void stored_free(Stored *stored)
{
    if (stored == NULL)
        return;
    g_free(stored->uuid);
    g_free(stored->file);
    g_free(stored->phase);
    g_free(stored->source_identity);
    g_free(stored->slot);
    g_free(stored->start_position);
    g_free(stored->start_resume);
    g_free(stored->consistent_position);
    g_free(stored->bus_uuid);
    g_free(stored->source_server);
    g_free(stored);
}

static const char READ_SQL[] =
    "select uuid, file, phase, source_identity, slot, start_position, start_resume, "
    "consistent_position, bus_uuid, source_server, source_era, case when paused then '1' else '0' "
    "end from drover.migration where name = $1";

enum { C_ERA = 10, C_PAUSED };

bool stored_read(Control *control, Stored **stored, GError **error)
{
    const char *values[] = {control->migration->name};
    bool installed = false;

    *stored = NULL;
    if (!control_installed(control->ops, control->target, &installed, error))
        return false;
    if (!installed)
        return true;
    g_autoptr(Answer) answer = control->ops->execute(control->target, READ_SQL, 1, values, error);
    if (answer == NULL)
        return false;
    if (answer->n_rows == 0)
        return true;
    Stored *row = *stored = g_new0(Stored, 1);
    char **const texts[] = {
        &row->uuid,     &row->file,           &row->phase,        &row->source_identity,
        &row->slot,     &row->start_position, &row->start_resume, &row->consistent_position,
        &row->bus_uuid, &row->source_server};
    for (guint i = 0; i < G_N_ELEMENTS(texts); i++)
        *texts[i] = g_strdup(answer_get(answer, 0, i));
    row->paused = g_strcmp0(answer_get(answer, 0, C_PAUSED), "1") == 0;
    row->source_era = (guint32)g_ascii_strtoull(answer_get(answer, 0, C_ERA), NULL, 10);
    return true;
}

Stored *stored_find(Control *control, GError **error)
{
    Stored *stored;

    if (!stored_read(control, &stored, error))
        return NULL;
    if (stored == NULL)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "no such migration: %s knows none that is called '%s'",
                    control->migration->target->label, control->migration->name);
    return stored;
}

bool stored_insert(Control *control, const char *uuid, const char *file, GError **error)
{
    const char *values[] = {control->migration->name, uuid, file};
    const char *sql = control_sql(control->ops, embedded_control_migration_add,
                                  embedded_control_migration_add_mysql);
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 3, values, error);
    return answer != NULL;
}

const char *stored_server(const Stored *stored)
{
    return stored->source_server != NULL ? stored->source_server : stored->source_identity;
}

bool stored_fill(const Stored *stored, Migration *migration, GError **error)
{
    g_free(migration->uuid);
    g_free(migration->slot);
    g_free(migration->source_identity);
    g_free(migration->start_resume);
    g_free(migration->source->server);
    migration->source->server = g_strdup(stored_server(stored));
    migration->source->era = stored->source_era;
    migration->uuid = g_strdup(stored->uuid);
    migration->slot = stored->slot != NULL
                          ? g_strdup(stored->slot)
                          : g_strdup_printf("drover_%s_%.8s", migration->name, stored->uuid);
    migration->source_identity = g_strdup(stored->source_identity);
    migration->start = (Position){0, 0};
    migration->start_resume = g_strdup(stored->start_resume);
    if (stored->start_position != NULL &&
        !position_parse(stored->start_position, &migration->start)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "drover.migration on the target has start_position '%s', which is no position",
                    stored->start_position);
        return false;
    }
    return true;
}

/* --- Tables ----------------------------------------------------------------------------------- */

static const char SAVE_SQL[] =
    "insert into drover.tables (migration, id, source_schema, source_name, target_schema, "
    "target_name, version, storage, state, rows_total, bytes_total) "
    "values ($1, $2, $3, $4, $5, $6, $7, $8, 'planned', $9, $10)";

static bool save_table(Control *control, const Table *table, GError **error)
{
    char id[HEX_SIZE], version[HEX_SIZE], storage[HEX_SIZE], rows[HEX_SIZE], bytes[HEX_SIZE];

    g_snprintf(id, sizeof id, "%u", table->id);
    g_snprintf(version, sizeof version, "%016" G_GINT64_MODIFIER "x", table->version);
    g_snprintf(storage, sizeof storage, "%" G_GUINT64_FORMAT, table->storage);
    g_snprintf(rows, sizeof rows, "%" G_GINT64_FORMAT, MAX(table->estimated_rows, 0));
    g_snprintf(bytes, sizeof bytes, "%" G_GINT64_FORMAT, MAX(table->bytes, 0));
    const char *values[] = {control->migration->name,
                            id,
                            table->source_schema,
                            table->source_name,
                            table->target_schema,
                            table->target_name,
                            version,
                            storage,
                            rows,
                            bytes};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, SAVE_SQL, G_N_ELEMENTS(values), values, error);
    return answer != NULL;
}

bool stored_save_tables(Control *control, GError **error)
{
    const GPtrArray *tables = control->migration->tables;
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(
        control->target, "delete from drover.tables where migration = $1", 1, values, error);

    if (answer == NULL)
        return false;
    for (guint i = 0; i < tables->len; i++)
        if (!save_table(control, g_ptr_array_index(tables, i), error))
            return false;
    return true;
}

static Table *take_table(GPtrArray *tables, const char *schema, const char *name)
{
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        if (strcmp(table->source_schema, schema) == 0 && strcmp(table->source_name, name) == 0)
            return g_ptr_array_steal_index(tables, i);
    }
    return NULL;
}

/* Columns: 0 id, 1 and 2 source, 3 and 4 target, 5 version, 6 storage. */
static Table *match_table(GPtrArray *tables, const Answer *answer, guint i, GError **error)
{
    const char *schema = answer_get(answer, i, 1), *name = answer_get(answer, i, 2);
    g_autoptr(Table) table = take_table(tables, schema, name);
    char version[HEX_SIZE];

    if (table == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "table %s.%s of this migration is gone from the source, or the migration file "
                    "no longer names it; bring it back, or `drover drop` the migration and begin "
                    "anew",
                    schema, name);
        return NULL;
    }
    g_snprintf(version, sizeof version, "%016" G_GINT64_MODIFIER "x", table->version);
    if (strcmp(version, answer_get(answer, i, 5)) != 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "the definition of table %s.%s changed on the source since the migration "
                    "started (columns, types or key); undo that change, or `drover drop` the "
                    "migration and begin anew",
                    schema, name);
        return NULL;
    }
    if (strcmp(table->target_schema, answer_get(answer, i, 3)) != 0 ||
        strcmp(table->target_name, answer_get(answer, i, 4)) != 0) {
        g_set_error(
            error, DROVER_ERROR, DROVER_ERROR_USAGE,
            "tables: %s.%s goes to %s.%s, and the migration started with %s.%s; that cannot "
            "change while it runs",
            schema, name, table->target_schema, table->target_name, answer_get(answer, i, 3),
            answer_get(answer, i, 4));
        return NULL;
    }
    /* What the chunks copied so far have seen. */
    table->storage = g_ascii_strtoull(answer_get(answer, i, 6), NULL, 10);
    return g_steal_pointer(&table);
}

static bool refuse_new_tables(const GPtrArray *left, GError **error)
{
    if (left->len == 0)
        return true;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint i = 0; i < left->len; i++) {
        const Table *table = g_ptr_array_index(left, i);
        g_string_append_printf(names, "%s%s", i > 0 ? ", " : "", table->label);
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "new on the source since the migration started, and not moved (new_tables: stop): "
                "%s; name them under `exclude:` of their line of `tables:` to go on without them",
                names->str);
    return false;
}

static const char TABLES_SQL[] =
    "select id, source_schema, source_name, target_schema, target_name, version, storage "
    "from drover.tables where migration = $1 order by id";

bool stored_match_tables(Control *control, Migration *migration, GError **error)
{
    const char *values[] = {migration->name};
    g_autoptr(Answer) answer = control->ops->execute(control->target, TABLES_SQL, 1, values, error);
    g_autoptr(GPtrArray) matched = g_ptr_array_new_with_free_func((GDestroyNotify)table_free);

    if (answer == NULL)
        return false;
    for (guint i = 0; i < answer->n_rows; i++) {
        Table *table = match_table(migration->tables, answer, i, error);
        if (table == NULL)
            return false;
        table->id = i + 1;
        g_ptr_array_add(matched, table);
    }
    if (!refuse_new_tables(migration->tables, error))
        return false;
    g_ptr_array_unref(migration->tables);
    migration->tables = g_steal_pointer(&matched);
    migration->schema_version = stored_schema_version(migration);
    return true;
}

guint64 stored_schema_version(const Migration *migration)
{
    g_autoptr(GByteArray) versions = g_byte_array_new();

    for (guint i = 0; i < migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(migration->tables, i);
        guint64 big = GUINT64_TO_BE(table->version);
        g_byte_array_append(versions, (const guint8 *)&big, sizeof big);
    }
    return XXH3_64bits(versions->data, versions->len);
}

/* --- The migration file ----------------------------------------------------------------------- */

/* Limits and secrets may change at any start. So may the bus's place, which its UUID proves, and
 * the lines of `tables:`, whose outcome is compared table by table. */
static bool may_change(const char *line, const Endpoint *source)
{
    static const char *const starts[] = {
        "limits",          "bus.",        "tables",     "source.password",
        "target.password", "source.tls.", "target.tls."};
    if (g_str_has_prefix(line, "source.url:"))
        return endpoint_is_mysql(source);
    for (guint i = 0; i < G_N_ELEMENTS(starts); i++)
        if (g_str_has_prefix(line, starts[i]))
            return true;
    return *line == '\0';
}

static void append_missing(char **lines, char **from, const char *what, const Endpoint *source,
                           GString *differences)
{
    for (guint i = 0; lines[i] != NULL; i++) {
        if (may_change(lines[i], source) || g_strv_contains((const char *const *)from, lines[i]))
            continue;
        g_string_append_printf(differences, "%s%s %s", differences->len > 0 ? "; " : "", what,
                               lines[i]);
    }
}

bool stored_match_file(const Stored *stored, const char *resolved, const Endpoint *source,
                       GError **error)
{
    g_auto(GStrv) then = g_strsplit(stored->file, "\n", -1);
    g_auto(GStrv) now = g_strsplit(resolved, "\n", -1);
    g_autoptr(GString) differences = g_string_new(NULL);

    append_missing(then, now, "was", source, differences);
    append_missing(now, then, "is", source, differences);
    if (differences->len == 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                "the migration file changed since the migration started, in what cannot change "
                "while it runs: %s",
                differences->str);
    return false;
}
