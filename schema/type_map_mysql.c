/*
 * The types of a table on MySQL or MariaDB. Two limits of InnoDB count: an index holds 3072 bytes a
 * row, so that what is part of the key needs a length, and the lengths of all columns of a row
 * together stay below 64 KiB (long texts, which lie apart, do not count).
 */
#include "schema/type_map_internal.h"

#include "schema/mysql/type.h"

#include <string.h>

#define INDEX_BYTES 3072
#define ROW_BYTES 65000   /* of 65535, which null bits and lengths share */
#define APART_BYTES 12    /* what is left in the row of a long text */
#define MAX_NAME 64       /* characters */
#define MAX_VARCHAR 16383 /* characters of four bytes */
#define MAX_DECIMAL 65
#define MAX_SCALE 30
#define MAX_BITS 64
#define DEFAULT_DIGITS 6 /* of a second, on PostgreSQL */

#define ASCII_SET " character set ascii collate ascii_bin"
#define FIRST_MARIADB_WITH_UUID 100700
#define FIRST_MARIADB_WITH_INET4 101000
#define FIRST_MARIADB_WITH_VECTOR 110700
#define FIRST_MYSQL_WITH_VECTOR 90000

typedef enum { PLAIN, TEXT, ASCII, LENGTH, DIGITS, BITS, DECIMAL, UUID } Rule;

static const struct {
    guint32 oid;
    Rule rule;
    const char *type;
} targets[] = {
#define TARGET(oid, rule, type) {oid, rule, type},
#include "schema/mysql/from_postgres.def"
#undef TARGET
};

/* --- Names ------------------------------------------------------------------------------------ */

/* The servers keep names as utf8mb3, and cut blanks off their ends. */
static void check_name(const TypeMap *map, const char *name)
{
    const char *wrong = NULL;
    if (g_utf8_strlen(name, -1) > MAX_NAME)
        wrong = "is longer than 64 characters";
    for (const char *c = name; *c != '\0'; c = g_utf8_next_char(c))
        if (g_utf8_get_char(c) > 0xffff)
            wrong = "has a character beyond the basic multilingual plane";
    if (name[0] != '\0' && name[strlen(name) - 1] == ' ')
        wrong = "ends with a blank";
    if (wrong != NULL)
        type_map_note(map, map->problems, "the name of column %s %s, which %s does not take", name,
                      wrong, product_name(map->target));
}

static void check_names(const TypeMap *map)
{
    const Table *table = map->table;
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < table->n_columns; i++) {
        const char *name = table->columns[i].name;
        check_name(map, name);
        if (!g_hash_table_add(seen, g_utf8_casefold(name, -1)))
            type_map_note(map, map->problems,
                          "column %s has the name of another one in other letters, which is the "
                          "same name to %s",
                          name, product_name(map->target));
    }
}

/* --- From PostgreSQL -------------------------------------------------------------------------- */

/* The modifier "(10,2)" of a type; false where there is none. */
static bool read_modifier(const char *type, int *first, int *second)
{
    const char *open = strchr(type, '(');
    char *end;
    *second = 0;
    if (open == NULL)
        return false;
    *first = (int)g_ascii_strtoll(open + 1, &end, 10);
    if (*end == ',')
        *second = (int)g_ascii_strtoll(end + 1, NULL, 10);
    return true;
}

static char *text_type(const TypeMap *map, const char *type)
{
    return g_strdup_printf("%s character set utf8mb4 collate %s", type,
                           product_binary_collation(map->target));
}

static char *length_type(const TypeMap *map, const Column *column)
{
    int length, ignored;
    if (!read_modifier(column->type, &length, &ignored) || length > MAX_VARCHAR)
        return text_type(map, "longtext");
    g_autofree char *type = g_strdup_printf("varchar(%d)", length);
    return text_type(map, type);
}

static char *digits_type(const Column *column, const char *type)
{
    int digits = DEFAULT_DIGITS, ignored;
    read_modifier(column->type, &digits, &ignored);
    return g_strdup_printf("%s(%d)", type, digits);
}

/* NULL where it does not fit. */
static char *bits_type(const Column *column)
{
    int bits = 1, ignored;
    read_modifier(column->type, &bits, &ignored);
    return bits <= MAX_BITS ? g_strdup_printf("bit(%d)", bits) : NULL;
}

/* PostgreSQL's scale may be greater than the precision: numeric(2,4) holds 0.0012. */
static char *decimal_type(const TypeMap *map, const Column *column)
{
    int precision, scale;
    if (!read_modifier(column->type, &precision, &scale)) {
        type_map_note(map, map->warnings,
                      "column %s has the type numeric without a precision and becomes "
                      "decimal(%d,%d); a value with more digits stops the migration",
                      column->name, MAX_DECIMAL, MAX_SCALE);
        return g_strdup_printf("decimal(%d,%d)", MAX_DECIMAL, MAX_SCALE);
    }
    precision = MAX(precision, scale);
    if (precision > MAX_DECIMAL || scale < 0 || scale > MAX_SCALE)
        return NULL;
    return g_strdup_printf("decimal(%d,%d)", precision, scale);
}

static char *uuid_type(const TypeMap *map)
{
    if (map->target->kind == PRODUCT_MARIADB && map->target->version >= FIRST_MARIADB_WITH_UUID)
        return g_strdup("uuid");
    return g_strdup("char(36)" ASCII_SET);
}

static char *apply_rule(const TypeMap *map, const Column *column, Rule rule, const char *type)
{
    switch (rule) {
    case TEXT:
        return text_type(map, type);
    case ASCII:
        return g_strconcat(type, ASCII_SET, NULL);
    case LENGTH:
        return length_type(map, column);
    case DIGITS:
        return digits_type(column, type);
    case BITS:
        return bits_type(column);
    case DECIMAL:
        return decimal_type(map, column);
    case UUID:
        return uuid_type(map);
    case PLAIN:
        break;
    }
    return g_strdup(type);
}

/* NULL: there is none. */
static char *target_of_pg(const TypeMap *map, const Column *column)
{
    for (gsize i = 0; i < G_N_ELEMENTS(targets); i++)
        if (targets[i].oid == column->type_oid)
            return apply_rule(map, column, targets[i].rule, targets[i].type);
    return NULL;
}

/* The column that takes most of a row and can lie apart instead; NULL where there is none. */
static Column *longest_text(const TypeMap *map)
{
    Column *longest = NULL;
    guint most = INDEX_BYTES;
    for (guint i = 0; i < map->table->n_columns; i++) {
        Column *column = &map->table->columns[i];
        if (column->target_type == NULL || column->key_place >= 0 ||
            !g_str_has_prefix(column->target_type, "varchar("))
            continue;
        guint bytes = mysql_type_index_bytes(column->target_type);
        if (bytes > most) {
            longest = column;
            most = bytes;
        }
    }
    return longest;
}

static guint bytes_of_row(const Table *table)
{
    guint total = 0;
    for (guint i = 0; i < table->n_columns; i++) {
        const char *type = table->columns[i].target_type;
        guint bytes = type ? mysql_type_index_bytes(type) : 0;
        total += bytes > 0 ? bytes + 2 : APART_BYTES;
    }
    return total;
}

/* What is too long for an index anyway loses nothing by lying apart. */
static void shorten_row(const TypeMap *map)
{
    Column *column;
    while (bytes_of_row(map->table) > ROW_BYTES && (column = longest_text(map)) != NULL) {
        g_free(column->target_type);
        column->target_type = text_type(map, "longtext");
    }
    if (bytes_of_row(map->table) > ROW_BYTES)
        type_map_note(map, map->problems,
                      "its columns together are longer than the 64 KiB that a row of %s may have",
                      product_name(map->target));
}

static void check_key(const TypeMap *map)
{
    const Table *table = map->table;
    guint total = 0;
    for (guint i = 0; i < table->n_key; i++) {
        const Column *column = &table->columns[table->key[i]];
        guint bytes = column->target_type ? mysql_type_index_bytes(column->target_type) : 0;
        if (column->target_type != NULL && (bytes == 0 || bytes > INDEX_BYTES))
            type_map_note(map, map->problems,
                          "column %s of its key has the type %s, which becomes %s: a key of %s "
                          "holds at most %d bytes; give the column a length on the source, for "
                          "example varchar(255)",
                          column->name, column->type, column->target_type,
                          product_name(map->target), INDEX_BYTES);
        else
            total += bytes;
    }
    if (total > INDEX_BYTES)
        type_map_note(map, map->problems,
                      "the columns of its key take up to %u bytes, and a key of %s holds at most "
                      "%d",
                      total, product_name(map->target), INDEX_BYTES);
}

void type_map_from_pg_to_mysql(const TypeMap *map)
{
    check_names(map);
    for (guint i = 0; i < map->table->n_columns; i++) {
        Column *column = &map->table->columns[i];
        column->target_type = target_of_pg(map, column);
        if (column->target_type == NULL)
            type_map_note(map, map->problems,
                          "column %s has the type %s, for which %s has none: change the column's "
                          "type or leave the table out with exclude",
                          column->name, column->type, product_name(map->target));
    }
    shorten_row(map);
    check_key(map);
}

/* --- From MySQL and MariaDB ------------------------------------------------------------------- */

/* The type's own words for the target; NULL where it has none. */
static char *own_type(const TypeMap *map, const Column *column)
{
    MysqlType type;
    bool mariadb = map->target->kind == PRODUCT_MARIADB;
    guint version = map->target->version;
    mysql_type_parse(column->type, &type);
    if (strcmp(type.name, "uuid") == 0 && (!mariadb || version < FIRST_MARIADB_WITH_UUID))
        return g_strdup("char(36)" ASCII_SET);
    if ((strcmp(type.name, "inet6") == 0 && !mariadb) ||
        (strcmp(type.name, "inet4") == 0 && (!mariadb || version < FIRST_MARIADB_WITH_INET4)))
        return g_strdup("varchar(43)" ASCII_SET);
    if (strcmp(type.name, "vector") == 0 &&
        version < (mariadb ? FIRST_MARIADB_WITH_VECTOR : FIRST_MYSQL_WITH_VECTOR))
        return NULL;
    if (strcmp(type.name, "geomcollection") == 0)
        return g_strdup("geometrycollection");
    return g_strdup(column->type);
}

/* A collation that the target does not know becomes the binary one of utf8mb4. */
static void add_collation(const TypeMap *map, Column *column)
{
    MysqlType type;
    if (column->charset == NULL || strstr(column->target_type, "character set") != NULL)
        return;
    g_autofree char *plain = g_steal_pointer(&column->target_type);
    mysql_type_parse(plain, &type);
    if (product_knows_collation(map->target, column->collation))
        column->target_type = g_strdup_printf("%s character set %s collate %s", plain,
                                              column->charset, column->collation);
    else
        column->target_type = text_type(map, type.length > MAX_VARCHAR ? "longtext" : plain);
}

static bool lost_collation(const TypeMap *map, const Column *column)
{
    return column->target_type != NULL && column->collation != NULL &&
           !product_knows_collation(map->target, column->collation);
}

/* One sentence for each collation: a table often has one for all its columns. */
static void tell_lost_collations(const TypeMap *map)
{
    const Table *table = map->table;
    g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint i = 0; i < table->n_columns; i++) {
        const char *collation = table->columns[i].collation;
        if (!lost_collation(map, &table->columns[i]) ||
            !g_hash_table_add(told, (gpointer)collation))
            continue;
        g_autoptr(GString) names = g_string_new(table->columns[i].name);
        for (guint other = i + 1; other < table->n_columns; other++)
            if (lost_collation(map, &table->columns[other]) &&
                strcmp(table->columns[other].collation, collation) == 0)
                g_string_append_printf(names, ", %s", table->columns[other].name);
        type_map_note(map, map->warnings,
                      "the collation %s of %s is unknown to the target, where %s takes its place: "
                      "texts are compared byte by byte there",
                      collation, names->str, product_binary_collation(map->target));
    }
}

static void map_own(const TypeMap *map, Column *column)
{
    column->target_type = own_type(map, column);
    if (column->target_type != NULL)
        add_collation(map, column);
    else
        type_map_note(map, map->problems,
                      "column %s has the type %s, which this version of %s does not have: leave "
                      "the table out with exclude",
                      column->name, column->type, product_name(map->target));
}

/* Expressions mean the same on the same product only. */
void type_map_from_mysql_to_mysql(const TypeMap *map)
{
    Table *table = map->table;
    check_names(map);
    for (guint i = 0; i < table->n_columns; i++)
        map_own(map, &table->columns[i]);
    for (guint i = 0; i < table->n_generated && map->source->kind == map->target->kind; i++)
        map_own(map, &table->generated[i]);
    tell_lost_collations(map);
}
