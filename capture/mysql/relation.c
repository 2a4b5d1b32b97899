/* Compares what the log says of a table with what the migration knows. */
#include "capture/mysql/relation.h"

#include "capture/mysql/canonical.h"
#include "proto/error.h"
#include "schema/type_oid.h"

#include <string.h>

#define START_OVER "start the migration over (drover drop, then run)"

struct MysqlRelations {
    const Migration *migration;
    bool ignore_case;
    GHashTable *by_name;   /* "database.table" (in one case) to Table */
    GHashTable *by_serial; /* guint64 (inside of the relation) to MysqlRelation */
    Arena *arena;          /* of what maps are completed with */
    const MysqlRelation *last;
};

bool mysql_fail_at(const BinlogEvent *event, GError **error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s:%" G_GUINT64_FORMAT ": %s", event->file, event->position, what);
    return false;
}

static void free_relation(gpointer data)
{
    MysqlRelation *relation = data;
    g_free(relation->columns);
    g_free(relation->meanings);
    g_free(relation->places);
    g_free(relation);
}

/* ---- names ---- */

static char *folded(const MysqlRelations *relations, const char *name)
{
    return relations->ignore_case ? g_utf8_casefold(name, -1) : g_strdup(name);
}

/* A zero byte cannot be of a name, a point can: it is doubled. */
static char *name_of(const MysqlRelations *relations, const char *database, const char *table)
{
    g_autofree char *first = folded(relations, database), *second = folded(relations, table);
    g_autoptr(GString) name = g_string_new(first);
    g_string_replace(name, ".", "..", 0);
    g_string_append_printf(name, ".%s", second);
    return g_string_free(g_steal_pointer(&name), false);
}

const Table *mysql_relations_table(const MysqlRelations *relations, const char *database,
                                   const char *name)
{
    g_autofree char *whole = name_of(relations, database, name);
    return g_hash_table_lookup(relations->by_name, whole);
}

const Table *mysql_relations_any_in(const MysqlRelations *relations, const char *database)
{
    g_autofree char *wanted = folded(relations, database);
    for (guint i = 0; i < relations->migration->tables->len; i++) {
        const Table *table = g_ptr_array_index(relations->migration->tables, i);
        g_autofree char *schema = folded(relations, table->source_schema);
        if (strcmp(schema, wanted) == 0)
            return table;
    }
    return NULL;
}

MysqlRelations *mysql_relations_new(const Migration *migration, bool ignore_case)
{
    MysqlRelations *relations = g_new0(MysqlRelations, 1);
    relations->migration = migration;
    relations->ignore_case = ignore_case;
    relations->arena = arena_new(4096);
    relations->by_name = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    relations->by_serial = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, free_relation);
    for (guint i = 0; i < migration->tables->len; i++) {
        Table *table = g_ptr_array_index(migration->tables, i);
        g_hash_table_insert(relations->by_name,
                            name_of(relations, table->source_schema, table->source_name), table);
    }
    return relations;
}

void mysql_relations_free(MysqlRelations *relations)
{
    if (!relations)
        return;
    g_hash_table_unref(relations->by_name);
    g_hash_table_unref(relations->by_serial);
    arena_free(relations->arena);
    g_free(relations);
}

void mysql_relations_clear(MysqlRelations *relations)
{
    relations->last = NULL;
    g_hash_table_remove_all(relations->by_serial);
    arena_reset(relations->arena);
}

/* ---- columns ---- */

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

static int find_generated(const Table *table, const char *name)
{
    for (guint i = 0; i < table->n_generated; i++)
        if (g_ascii_strcasecmp(table->generated[i].name, name) == 0)
            return (int)i;
    return -1;
}

/* Names of columns differ by more than their case. */
static int find_column(const Table *table, const char *name)
{
    int place = table_find_column(table, name);
    for (guint i = 0; place < 0 && i < table->n_columns; i++)
        if (g_ascii_strcasecmp(table->columns[i].name, name) == 0)
            place = (int)i;
    return place;
}

static void match_names(MysqlRelation *relation, const BinlogTableMap *map, GString *changes)
{
    const Table *table = relation->table;
    for (guint i = 0; i < map->n_columns; i++) {
        const char *name = map->columns[i].name;
        relation->columns[i] = find_column(table, name);
        if (relation->columns[i] < 0 && find_generated(table, name) < 0)
            note(changes, "column \"%s\" was added", name);
    }
}

static gint compare_numbers(gconstpointer a, gconstpointer b)
{
    const Column *left = *(const Column *const *)a, *right = *(const Column *const *)b;
    return left->number < right->number ? -1 : left->number > right->number;
}

static void match_order(MysqlRelation *relation, BinlogTableMap *map, GString *changes)
{
    const Table *table = relation->table;
    g_autoptr(GPtrArray) all = g_ptr_array_new();
    for (guint i = 0; i < table->n_columns; i++)
        g_ptr_array_add(all, &table->columns[i]);
    for (guint i = 0; i < table->n_generated; i++)
        g_ptr_array_add(all, &table->generated[i]);
    g_ptr_array_sort(all, compare_numbers);
    if (all->len != map->n_columns) {
        note(changes, "it has %u columns, the log %u", all->len, map->n_columns);
        return;
    }
    for (guint i = 0; i < map->n_columns; i++) {
        const Column *column = all->pdata[i];
        bool moved = column >= table->columns && column < table->columns + table->n_columns;
        relation->columns[i] = moved ? (int)(column - table->columns) : -1;
        map->columns[i].name = column->name;
    }
}

/* Texts of all kinds have one form. */
static bool same_form(guint32 wanted, guint32 found)
{
    return wanted == found || (found == OID_TEXT && (wanted == OID_VARCHAR ||
                                                     wanted == OID_BPCHAR || wanted == OID_JSON));
}

static void compare_column(MysqlRelations *relations, MysqlRelation *relation, guint number,
                           BinlogColumn *found, GString *changes)
{
    const Column *column = &relation->table->columns[relation->columns[number]];
    ColumnMeaning *meaning = &relation->meanings[number];
    g_autofree char *other = mysql_column_complete(column, found, meaning, relations->arena);
    if (other)
        note(changes, "column \"%s\" is no longer %s (the log has %s)", column->name, column->type,
             other);
    else if (*meaning == COLUMN_PLAIN && !same_form(column->type_oid, mysql_canonical_type(found)))
        note(changes, "column \"%s\" (%s) has values of type %u in the log and %u in the migration",
             column->name, column->type, mysql_canonical_type(found), column->type_oid);
}

static void compare_key(const Table *table, const BinlogTableMap *map, GString *changes)
{
    if (!map->has_names || !table->key_is_primary)
        return;
    bool same = map->n_key == table->n_key;
    for (guint i = 0; same && i < map->n_key; i++)
        same = g_ascii_strcasecmp(map->columns[map->key[i].column].name,
                                  table->columns[table->key[i]].name) == 0;
    if (!same)
        note(changes, "its primary key is another one");
}

static void compare_columns(MysqlRelations *relations, MysqlRelation *relation, BinlogTableMap *map,
                            GString *changes)
{
    const Table *table = relation->table;
    if (map->has_names)
        match_names(relation, map, changes);
    else
        match_order(relation, map, changes);
    for (guint i = 0; i < table->n_columns; i++)
        relation->places[i] = -1;
    for (guint i = 0; changes->len == 0 && i < map->n_columns; i++) {
        if (relation->columns[i] < 0)
            continue;
        relation->places[relation->columns[i]] = (int)i;
        compare_column(relations, relation, i, &map->columns[i], changes);
    }
    for (guint i = 0; changes->len == 0 && i < table->n_columns; i++)
        if (relation->places[i] < 0)
            note(changes, "column \"%s\" was dropped", table->columns[i].name);
    if (changes->len == 0)
        compare_key(table, map, changes);
}

/* ---- relations ---- */

static MysqlRelation *make(MysqlRelations *relations, const BinlogEvent *event,
                           const BinlogTableMap *map, GError **error)
{
    MysqlRelation *relation = g_new0(MysqlRelation, 1);
    relation->serial = map->serial;
    relation->n_columns = map->n_columns;
    relation->table = mysql_relations_table(relations, map->database, map->table);
    g_hash_table_replace(relations->by_serial, &relation->serial, relation);
    if (!relation->table)
        return relation;
    g_autoptr(GString) changes = g_string_new(NULL);
    relation->columns = g_new0(int, map->n_columns + 1);
    relation->meanings = g_new0(ColumnMeaning, map->n_columns + 1);
    relation->places = g_new0(int, relation->table->n_columns + 1);
    /* the map is the decoder's, which lets its columns be completed */
    BinlogTableMap open = *map;
    compare_columns(relations, relation, &open, changes);
    if (changes->len == 0)
        return relation;
    mysql_fail_at(event, error,
                  "table %s changed on the source: %s; this migration does not follow such "
                  "changes: " START_OVER,
                  relation->table->label, changes->str);
    g_hash_table_remove(relations->by_serial, &map->serial);
    return NULL;
}

const MysqlRelation *mysql_relations_get(MysqlRelations *relations, const BinlogEvent *event,
                                         const BinlogTableMap *map, GError **error)
{
    if (relations->last && relations->last->serial == map->serial)
        return relations->last;
    const MysqlRelation *relation = g_hash_table_lookup(relations->by_serial, &map->serial);
    if (!relation)
        relation = make(relations, event, map, error);
    relations->last = relation;
    return relation;
}
