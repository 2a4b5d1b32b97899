/* Compares what the log says of a table with what the migration knows. */
#include "capture/postgres/relation.h"

#include "proto/error.h"
#include "proto/position.h"

struct RelationMap {
    const Migration *migration;
    RelationTypeName type_name;
    void *user;
    GHashTable *tables;     /* oid -> Table * of the migration */
    GHashTable *relations;  /* oid -> Relation * */
    GHashTable *type_names; /* guint64 type oid << 32 | modifier -> char * */
    const Relation *last;   /* the one asked for last */
};

static void relation_free(gpointer data)
{
    Relation *relation = data;
    g_free(relation->columns);
    g_free(relation);
}

RelationMap *relation_map_new(const Migration *migration, RelationTypeName type_name, void *user)
{
    RelationMap *map = g_new0(RelationMap, 1);
    map->migration = migration;
    map->type_name = type_name;
    map->user = user;
    map->tables = g_hash_table_new(NULL, NULL);
    map->relations = g_hash_table_new_full(NULL, NULL, NULL, relation_free);
    map->type_names = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
    for (guint i = 0; i < migration->tables->len; i++) {
        Table *table = g_ptr_array_index(migration->tables, i);
        g_hash_table_insert(map->tables, GUINT_TO_POINTER(table->source_oid), table);
    }
    return map;
}

void relation_map_free(RelationMap *map)
{
    if (!map)
        return;
    g_hash_table_unref(map->tables);
    g_hash_table_unref(map->relations);
    g_hash_table_unref(map->type_names);
    g_free(map);
}

static bool fail(guint64 lsn, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);

static bool fail(guint64 lsn, GError **error, const char *format, ...)
{
    char position[POSITION_TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON, "source log at %s: %s",
                position_format((Position){.major = lsn}, position), what);
    return false;
}

/* ---- which table ---- */

static const Table *find_by_name(const RelationMap *map, const char *schema, const char *name)
{
    for (guint i = 0; i < map->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(map->migration->tables, i);
        if (g_str_equal(table->source_schema, schema) && g_str_equal(table->source_name, name))
            return table;
    }
    return NULL;
}

static const Table *find_table(const RelationMap *map, const PgoutputMessage *message, guint64 lsn,
                               GError **error)
{
    const char *schema = *message->relation.schema ? message->relation.schema : "pg_catalog";
    const char *name = message->relation.name;
    const Table *table = g_hash_table_lookup(map->tables, GUINT_TO_POINTER(message->relation.oid));
    if (table) {
        if (g_str_equal(table->source_schema, schema) && g_str_equal(table->source_name, name))
            return table;
        fail(lsn, error,
             "table %s was renamed to %s.%s on the source; rename it back and run drover again, or "
             "start the migration over (drover drop, then run)",
             table->label, schema, name);
        return NULL;
    }
    if (find_by_name(map, schema, name))
        fail(lsn, error,
             "table %s.%s was dropped and created again on the source; start the migration over "
             "(drover drop, then run)",
             schema, name);
    else
        fail(lsn, error,
             "table %s.%s is in the publication but not in the migration: somebody added it; take "
             "it out with: ALTER PUBLICATION \"%s\" DROP TABLE %s.%s; its changes up to then still "
             "come through the log, so start the migration over (drover drop, then run)",
             schema, name, map->migration->slot, schema, name);
    return NULL;
}

/* ---- what changed ---- */

static const char *type_name(RelationMap *map, const PgoutputColumn *column, GError **error)
{
    gint64 key =
        (gint64)(((guint64)column->type_oid << 32) | (guint64)(guint32)column->type_modifier);
    const char *known = g_hash_table_lookup(map->type_names, &key);
    if (known)
        return known;
    char *name = map->type_name
                     ? map->type_name(map->user, column->type_oid, column->type_modifier, error)
                     : g_strdup_printf("type %u", column->type_oid);
    if (!name)
        return NULL;
    g_hash_table_insert(map->type_names, g_memdup2(&key, sizeof key), name);
    return name;
}

G_GNUC_PRINTF(2, 3)
static void note(GString *changes, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (changes->len > 0)
        g_string_append(changes, "; ");
    g_string_append_vprintf(changes, format, arguments);
    va_end(arguments);
}

static bool compare_type(RelationMap *map, const Column *column, const PgoutputColumn *found,
                         GString *changes, GError **error)
{
    if (!map->type_name && column->type_oid == found->type_oid)
        return true;
    const char *name = type_name(map, found, error);
    if (!name)
        return false;
    if (column->type_oid != found->type_oid || !g_str_equal(column->type, name))
        note(changes, "the type of column \"%s\" changed from %s to %s", column->name, column->type,
             name);
    return true;
}

static bool is_generated(const Table *table, const char *name)
{
    for (guint i = 0; i < table->n_generated; i++)
        if (g_str_equal(table->generated[i].name, name))
            return true;
    return false;
}

/* With the full row as replica identity every column is flagged, and the key's own are among them.
 */
static void compare_key(const Relation *relation, const PgoutputMessage *message, GString *changes)
{
    const Table *table = relation->table;
    if (message->relation.replica_identity == 'n')
        note(changes, "the replica identity is now NOTHING, so updates and deletes name no row; "
                      "set it back with ALTER TABLE ... REPLICA IDENTITY DEFAULT");
    if (message->relation.replica_identity == 'n' || message->relation.replica_identity == 'f')
        return;
    for (guint i = 0; i < message->relation.n_columns; i++) {
        int index = relation->columns[i];
        if (index < 0)
            continue;
        bool was_key = table->columns[index].key_place >= 0;
        if (was_key != message->relation.columns[i].is_key)
            note(changes, "column \"%s\" is %s of the key", table->columns[index].name,
                 was_key ? "no longer" : "now");
    }
}

/* Columns of the table that the log no longer has: dropped, or renamed to an unknown one. */
static void compare_missing(const Relation *relation, const PgoutputMessage *message,
                            GPtrArray *unknown, GString *changes)
{
    const Table *table = relation->table;
    for (guint i = 0; i < table->n_columns; i++) {
        bool found = false;
        for (guint j = 0; j < message->relation.n_columns && !found; j++)
            found = relation->columns[j] == (int)i;
        if (found)
            continue;
        const PgoutputColumn *renamed = NULL;
        for (guint j = 0; j < unknown->len && !renamed; j++) {
            const PgoutputColumn *candidate = g_ptr_array_index(unknown, j);
            if (candidate->type_oid == table->columns[i].type_oid)
                renamed = g_ptr_array_remove_index(unknown, j);
        }
        if (renamed)
            note(changes, "column \"%s\" was renamed to \"%s\"", table->columns[i].name,
                 renamed->name);
        else
            note(changes, "column \"%s\" was dropped", table->columns[i].name);
    }
}

/* Fills relation->columns and describes every difference. */
static bool compare_columns(RelationMap *map, Relation *relation, const PgoutputMessage *message,
                            GString *changes, GError **error)
{
    const Table *table = relation->table;
    g_autoptr(GPtrArray) unknown = g_ptr_array_new();
    for (guint i = 0; i < message->relation.n_columns; i++) {
        const PgoutputColumn *found = &message->relation.columns[i];
        int index = table_find_column(table, found->name);
        relation->columns[i] = index;
        if (index >= 0) {
            if (!compare_type(map, &table->columns[index], found, changes, error))
                return false;
        } else if (!is_generated(table, found->name)) {
            g_ptr_array_add(unknown, (gpointer)found);
        }
    }
    compare_missing(relation, message, unknown, changes);
    for (guint i = 0; i < unknown->len; i++) {
        const PgoutputColumn *added = g_ptr_array_index(unknown, i);
        note(changes, "column \"%s\" was added", added->name);
    }
    compare_key(relation, message, changes);
    return true;
}

bool relation_map_put(RelationMap *map, const PgoutputMessage *message, guint64 lsn, GError **error)
{
    g_autoptr(GString) changes = g_string_new(NULL);
    const Table *table = find_table(map, message, lsn, error);
    if (!table)
        return false;
    Relation *relation = g_new0(Relation, 1);
    relation->oid = message->relation.oid;
    relation->table = table;
    relation->n_columns = message->relation.n_columns;
    relation->columns = g_new(int, MAX(1, relation->n_columns));
    map->last = NULL;
    g_hash_table_replace(map->relations, GUINT_TO_POINTER(relation->oid), relation);
    if (!compare_columns(map, relation, message, changes, error)) {
        g_hash_table_remove(map->relations, GUINT_TO_POINTER(message->relation.oid));
        return false;
    }
    if (changes->len == 0)
        return true;
    g_hash_table_remove(map->relations, GUINT_TO_POINTER(message->relation.oid));
    return fail(lsn, error,
                "table %s changed on the source: %s; this migration does not follow such changes: "
                "start it over (drover drop, then run)",
                table->label, changes->str);
}

const Relation *relation_map_get(RelationMap *map, guint32 oid, guint64 lsn, GError **error)
{
    if (map->last && map->last->oid == oid)
        return map->last;
    const Relation *relation = g_hash_table_lookup(map->relations, GUINT_TO_POINTER(oid));
    if (!relation) {
        fail(lsn, error,
             "a change of relation %u that the log did not describe; the stream is broken: run "
             "drover again, and report this if it stays",
             oid);
        return NULL;
    }
    map->last = relation;
    return relation;
}

bool relation_cells(const Relation *relation, const PgoutputTuple *tuple, guint64 lsn, Cell *cells,
                    GError **error)
{
    const Table *table = relation->table;
    if (tuple->n_cells != relation->n_columns)
        return fail(lsn, error,
                    "table %s: a row with %u columns where its description has %u; the stream is "
                    "broken: run drover again, and report this if it stays",
                    table->label, tuple->n_cells, relation->n_columns);
    if (tuple->first_text >= 0) {
        int index = relation->columns[tuple->first_text];
        return fail(lsn, error,
                    "table %s, column \"%s\": the server sent the value as text where binary was "
                    "asked; its type has no binary form: leave the table out with exclude",
                    table->label, index < 0 ? "generated" : table->columns[index].name);
    }
    for (guint i = 0; i < table->n_columns; i++)
        cells[i] = (Cell){.kind = CELL_ABSENT};
    for (guint i = 0; i < tuple->n_cells; i++)
        if (relation->columns[i] >= 0)
            cells[relation->columns[i]] = tuple->cells[i];
    return true;
}
