#include "tests/support/tables.h"

#include <string.h>

typedef struct TypeOid {
    const char *type;
    guint32 oid;
} TypeOid;

static const TypeOid type_oids[] = {{"bigint", 20},
                                    {"bytea", 17},
                                    {"character(5)", 1042},
                                    {"double", 701},
                                    {"integer", 23},
                                    {"jsonb", 3802},
                                    {"json", 114},
                                    {"numeric", 1700},
                                    {"point", 600},
                                    {"smallint", 21},
                                    {"text", 25},
                                    {"uuid", 2950},
                                    {"varchar", 1043},
                                    {"xml", 142},
                                    {"timestamptz", 1184},
                                    {"boolean", 16},
                                    {"real", 700},
                                    {"date", 1082},
                                    {"time", 1083},
                                    {"timestamp", 1114},
                                    {"interval", 1186},
                                    {"bit(5)", 1560},
                                    {"numeric(12,4)", 1700},
                                    {"numeric(20,0)", 1700},
                                    {"varchar(20)", 1043},
                                    {"real[]", 1021},
                                    {"inet", 869},
                                    {"macaddr", 829}};

static void column_init(Column *column, char **words, int number)
{
    column->name = g_strdup(words[0]);
    column->number = number;
    column->key_place = -1;
    column->type = g_strdup(strcmp(words[1], "double") == 0 ? "double precision" : words[1]);
    for (gsize i = 0; i < G_N_ELEMENTS(type_oids); i++) {
        if (strcmp(type_oids[i].type, words[1]) == 0) {
            column->type_oid = type_oids[i].oid;
        }
    }
    g_assert(column->type_oid != 0);
}

static void add_column(Table *table, const char *text, int number)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 3);
    if (g_strcmp0(words[2], "generated") == 0) {
        table->generated = g_renew(Column, table->generated, table->n_generated + 1);
        memset(&table->generated[table->n_generated], 0, sizeof(Column));
        column_init(&table->generated[table->n_generated], words, number);
        table->generated[table->n_generated++].generated = true;
        return;
    }
    table->columns = g_renew(Column, table->columns, table->n_columns + 1);
    Column *column = &table->columns[table->n_columns];
    memset(column, 0, sizeof *column);
    column_init(column, words, number);
    if (words[2] != NULL && g_str_has_prefix(words[2], "key")) {
        guint place = words[2][3] != '\0' ? (guint)(words[2][3] - '1') : table->n_key;
        column->key_place = (int)place;
        column->not_null = true;
        table->key = g_renew(guint, table->key, MAX(table->n_key, place + 1));
        table->key[place] = table->n_columns;
        table->n_key = MAX(table->n_key, place + 1);
    }
    table->n_columns++;
}

Table *test_table_new(guint32 id, const char *name, const char *columns)
{
    Table *table = g_new0(Table, 1);
    table->id = id;
    table->source_schema = g_strdup("public");
    table->source_name = g_strdup(name);
    table->target_schema = g_strdup("public");
    table->target_name = g_strdup(name);
    table->label = g_strdup_printf("public.%s", name);
    g_auto(GStrv) parts = g_strsplit(columns, ", ", -1);
    for (int i = 0; parts[i] != NULL; i++) {
        add_column(table, parts[i], i + 1);
    }
    table->version = table_compute_version(table);
    return table;
}
