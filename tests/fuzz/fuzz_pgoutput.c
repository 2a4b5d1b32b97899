/*
 * Any bytes as a pgoutput message: the parser takes them or sets an error, reads nothing outside of
 * them, and what it returns may be used. The corpus is the real server's messages of
 * tests/unit/capture/test_pgoutput.c.
 */
#include "capture/postgres/pgoutput.h"
#include "capture/postgres/relation.h"
#include "proto/error.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char source_schema[] = "public";
static char source_name[] = "t";
static char slot[] = "drover_test";
static char id[] = "id";
static char v[] = "v";
static char integer[] = "type 23";
static char text[] = "type 25";

/* Every byte that the message points at is read once. */
static unsigned touch_tuple(const PgoutputTuple *tuple)
{
    unsigned sum = 0;
    for (guint i = 0; i < tuple->n_cells; i++)
        for (guint32 j = 0; j < tuple->cells[i].length; j++)
            sum += tuple->cells[i].data[j];
    return sum;
}

static unsigned touch(const PgoutputMessage *message)
{
    unsigned sum = 0;
    switch (message->kind) {
    case PGOUTPUT_INSERT:
    case PGOUTPUT_UPDATE:
    case PGOUTPUT_DELETE:
        return touch_tuple(&message->change.old) + touch_tuple(&message->change.row);
    case PGOUTPUT_TRUNCATE:
        for (guint i = 0; i < message->truncate.n_relations; i++)
            sum += message->truncate.relations[i];
        return sum;
    case PGOUTPUT_MESSAGE:
        for (guint32 i = 0; i < message->message.size; i++)
            sum += message->message.content[i];
        return sum + (unsigned)strlen(message->message.prefix);
    case PGOUTPUT_RELATION:
        for (guint i = 0; i < message->relation.n_columns; i++)
            sum += (unsigned)strlen(message->relation.columns[i].name);
        return sum;
    case PGOUTPUT_BEGIN:
    case PGOUTPUT_COMMIT:
    case PGOUTPUT_ORIGIN:
    case PGOUTPUT_TYPE:
        return 0;
    }
    return 0;
}

static void map_relation(const PgoutputMessage *message)
{
    g_autoptr(GError) error = NULL;
    Column columns[] = {{.name = id, .type = integer, .type_oid = 23, .key_place = 0},
                        {.name = v, .type = text, .type_oid = 25, .key_place = -1}};
    guint key[] = {0};
    Table table = {.id = 1,
                   .source_oid = 0x4006,
                   .source_schema = source_schema,
                   .source_name = source_name,
                   .label = source_name,
                   .n_columns = 2,
                   .columns = columns,
                   .n_key = 1,
                   .key = key};
    g_autoptr(GPtrArray) tables = g_ptr_array_new();
    g_ptr_array_add(tables, &table);
    Migration migration = {.slot = slot, .tables = tables};
    RelationMap *map = relation_map_new(&migration, NULL, NULL);
    if (!relation_map_put(map, message, 1, &error))
        g_assert_nonnull(error);
    relation_map_free(map);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(Pgoutput) parser = pgoutput_new();
    PgoutputMessage message;
    if (!pgoutput_parse(parser, data, size, 1, &message, &error)) {
        g_assert_nonnull(error);
        return 0;
    }
    volatile unsigned sum = touch(&message);
    (void)sum;
    if (message.kind == PGOUTPUT_RELATION)
        map_relation(&message);
    return 0;
}
