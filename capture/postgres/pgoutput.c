/*
 * A message is one byte of kind and fixed fields in network order; strings end with a zero byte.
 *
 *   B begin     u64 commit_lsn, i64 time, u32 xid
 *   C commit    u8 flags (0), u64 commit_lsn, u64 end_lsn, i64 time
 *   O origin    u64 lsn, string name
 *   R relation  u32 oid, string schema, string name, u8 identity, u16 n, n x (u8 flags, string
 * name, u32 type, i32 modifier) Y type      u32 oid, string schema, string name I insert    u32
 * relation, 'N' tuple U update    u32 relation, ['K' tuple | 'O' tuple], 'N' tuple D delete    u32
 * relation, 'K' tuple | 'O' tuple T truncate  u32 n, u8 options, n x u32 relation M message   u8
 * flags, u64 lsn, string prefix, u32 size, bytes tuple       u16 n, n x ('n' | 'u' | 't' u32 size,
 * bytes | 'b' u32 size, bytes)
 *
 * Times are microseconds since 2000-01-01 UTC.
 */
#include "capture/postgres/pgoutput.h"

#include "proto/byte_reader.h"
#include "proto/error.h"
#include "proto/position.h"

#define EPOCH_2000 G_GINT64_CONSTANT(946684800000000)

struct Pgoutput {
    GArray *old_cells;
    GArray *row_cells;
    GArray *columns;
    GArray *relations;
};

/* One message being read: the reader, and what an error says. */
typedef struct Parse {
    Pgoutput *parser;
    ByteReader reader;
    guint64 lsn;
    const char *name;
    GError **error;
} Parse;

Pgoutput *pgoutput_new(void)
{
    Pgoutput *parser = g_new0(Pgoutput, 1);
    parser->old_cells = g_array_new(false, false, sizeof(Cell));
    parser->row_cells = g_array_new(false, false, sizeof(Cell));
    parser->columns = g_array_new(false, false, sizeof(PgoutputColumn));
    parser->relations = g_array_new(false, false, sizeof(guint32));
    return parser;
}

void pgoutput_free(Pgoutput *parser)
{
    if (!parser)
        return;
    g_array_unref(parser->old_cells);
    g_array_unref(parser->row_cells);
    g_array_unref(parser->columns);
    g_array_unref(parser->relations);
    g_free(parser);
}

G_GNUC_PRINTF(2, 3)
static bool fail(Parse *parse, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *what = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    char position[POSITION_TEXT_SIZE];
    g_set_error(parse->error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "source log at %s: pgoutput message %s: %s at byte %" G_GSIZE_FORMAT
                " of %" G_GSIZE_FORMAT
                "; this version of drover does not understand this server: update drover",
                position_format((Position){.major = parse->lsn}, position), parse->name, what,
                parse->reader.offset, parse->reader.size);
    return false;
}

static bool fail_short(Parse *parse)
{
    return fail(parse, "the message ends too early");
}

/* A printable form of a byte that was not expected. */
static const char *byte_name(guint8 byte, char *text, gsize size)
{
    if (g_ascii_isprint((char)byte))
        g_snprintf(text, size, "'%c'", (char)byte);
    else
        g_snprintf(text, size, "0x%02x", byte);
    return text;
}

static bool read_time(ByteReader *reader, gint64 *time)
{
    guint64 value;
    if (!byte_reader_u64(reader, &value))
        return false;
    *time = (gint64)(value + (guint64)EPOCH_2000);
    return true;
}

static bool parse_begin(Parse *parse, PgoutputMessage *message)
{
    if (!byte_reader_u64(&parse->reader, &message->begin.commit_lsn) ||
        !read_time(&parse->reader, &message->begin.commit_time) ||
        !byte_reader_u32(&parse->reader, &message->begin.xid))
        return fail_short(parse);
    return true;
}

static bool parse_commit(Parse *parse, PgoutputMessage *message)
{
    guint8 flags;
    if (!byte_reader_u8(&parse->reader, &flags))
        return fail_short(parse);
    if (flags != 0)
        return fail(parse, "unknown flags 0x%02x", flags);
    if (!byte_reader_u64(&parse->reader, &message->commit.commit_lsn) ||
        !byte_reader_u64(&parse->reader, &message->commit.end_lsn) ||
        !read_time(&parse->reader, &message->commit.commit_time))
        return fail_short(parse);
    return true;
}

/* Where a transaction came from: of no use here, but its form is checked. */
static bool parse_origin(Parse *parse, PgoutputMessage *message)
{
    (void)message;
    guint64 lsn;
    const char *name;
    if (!byte_reader_u64(&parse->reader, &lsn) || !byte_reader_string(&parse->reader, &name))
        return fail_short(parse);
    return true;
}

static bool parse_column(Parse *parse, PgoutputColumn *column)
{
    guint8 flags;
    guint32 modifier;
    if (!byte_reader_u8(&parse->reader, &flags))
        return fail_short(parse);
    if (flags > 1)
        return fail(parse, "unknown column flags 0x%02x", flags);
    if (!byte_reader_string(&parse->reader, &column->name) ||
        !byte_reader_u32(&parse->reader, &column->type_oid) ||
        !byte_reader_u32(&parse->reader, &modifier))
        return fail_short(parse);
    column->is_key = flags == 1;
    column->type_modifier = (gint32)modifier;
    return true;
}

static bool parse_relation(Parse *parse, PgoutputMessage *message)
{
    guint8 identity;
    guint16 n;
    if (!byte_reader_u32(&parse->reader, &message->relation.oid) ||
        !byte_reader_string(&parse->reader, &message->relation.schema) ||
        !byte_reader_string(&parse->reader, &message->relation.name) ||
        !byte_reader_u8(&parse->reader, &identity))
        return fail_short(parse);
    if (identity == 0 || !strchr("dnfi", identity)) {
        char text[8];
        return fail(parse, "unknown replica identity %s", byte_name(identity, text, sizeof text));
    }
    if (!byte_reader_u16(&parse->reader, &n))
        return fail_short(parse);
    g_array_set_size(parse->parser->columns, n);
    for (guint i = 0; i < n; i++)
        if (!parse_column(parse, &g_array_index(parse->parser->columns, PgoutputColumn, i)))
            return false;
    message->relation.replica_identity = (char)identity;
    message->relation.n_columns = n;
    message->relation.columns = (const PgoutputColumn *)(void *)parse->parser->columns->data;
    return true;
}

/* The name of a type that is not built in; columns carry its number. */
static bool parse_type(Parse *parse, PgoutputMessage *message)
{
    (void)message;
    guint32 oid;
    const char *schema, *name;
    if (!byte_reader_u32(&parse->reader, &oid) || !byte_reader_string(&parse->reader, &schema) ||
        !byte_reader_string(&parse->reader, &name))
        return fail_short(parse);
    return true;
}

static bool parse_value(Parse *parse, Cell *cell)
{
    guint32 size;
    const guint8 *bytes;
    if (!byte_reader_u32(&parse->reader, &size) || !byte_reader_bytes(&parse->reader, size, &bytes))
        return fail_short(parse);
    *cell = (Cell){.kind = CELL_VALUE, .data = bytes, .length = size};
    return true;
}

static bool parse_cell(Parse *parse, guint number, PgoutputTuple *tuple)
{
    Cell *cell = &tuple->cells[number];
    guint8 format;
    char text[8];
    if (!byte_reader_u8(&parse->reader, &format))
        return fail_short(parse);
    switch (format) {
    case 'n':
        *cell = (Cell){.kind = CELL_NULL};
        return true;
    case 'u':
        *cell = (Cell){.kind = CELL_UNCHANGED};
        return true;
    case 't':
        if (tuple->first_text < 0)
            tuple->first_text = (int)number;
        return parse_value(parse, cell);
    case 'b':
        return parse_value(parse, cell);
    default:
        return fail(parse, "unknown value format %s of column %u",
                    byte_name(format, text, sizeof text), number + 1);
    }
}

static bool parse_tuple(Parse *parse, GArray *cells, PgoutputTuple *tuple)
{
    guint16 n;
    if (!byte_reader_u16(&parse->reader, &n))
        return fail_short(parse);
    g_array_set_size(cells, n);
    *tuple = (PgoutputTuple){.n_cells = n, .cells = (Cell *)(void *)cells->data, .first_text = -1};
    for (guint i = 0; i < n; i++)
        if (!parse_cell(parse, i, tuple))
            return false;
    return true;
}

/* Reads the byte that says what tuple follows. */
static bool parse_tuple_kind(Parse *parse, const char *allowed, guint8 *kind)
{
    char text[8];
    if (!byte_reader_u8(&parse->reader, kind))
        return fail_short(parse);
    if (*kind == 0 || !strchr(allowed, *kind))
        return fail(parse, "unknown tuple %s", byte_name(*kind, text, sizeof text));
    return true;
}

static bool parse_change(Parse *parse, PgoutputMessage *message, const char *first_tuples)
{
    guint8 kind;
    message->change.old_kind = PGOUTPUT_NO_OLD;
    message->change.old = (PgoutputTuple){.first_text = -1};
    message->change.row = (PgoutputTuple){.first_text = -1};
    if (!byte_reader_u32(&parse->reader, &message->change.relation))
        return fail_short(parse);
    if (!parse_tuple_kind(parse, first_tuples, &kind))
        return false;
    if (kind != 'N') {
        message->change.old_kind = (PgoutputOld)kind;
        if (!parse_tuple(parse, parse->parser->old_cells, &message->change.old))
            return false;
        if (message->kind == PGOUTPUT_DELETE)
            return true;
        if (!parse_tuple_kind(parse, "N", &kind))
            return false;
    }
    return parse_tuple(parse, parse->parser->row_cells, &message->change.row);
}

static bool parse_insert(Parse *parse, PgoutputMessage *message)
{
    return parse_change(parse, message, "N");
}

static bool parse_update(Parse *parse, PgoutputMessage *message)
{
    return parse_change(parse, message, "KON");
}

static bool parse_delete(Parse *parse, PgoutputMessage *message)
{
    return parse_change(parse, message, "KO");
}

static bool parse_truncate(Parse *parse, PgoutputMessage *message)
{
    guint32 n;
    guint8 options;
    if (!byte_reader_u32(&parse->reader, &n) || !byte_reader_u8(&parse->reader, &options))
        return fail_short(parse);
    if (options > 3)
        return fail(parse, "unknown options 0x%02x", options);
    if (n > byte_reader_left(&parse->reader) / sizeof(guint32))
        return fail_short(parse);
    g_array_set_size(parse->parser->relations, n);
    for (guint i = 0; i < n; i++)
        if (!byte_reader_u32(&parse->reader, &g_array_index(parse->parser->relations, guint32, i)))
            return fail_short(parse);
    message->truncate.cascade = options & 1;
    message->truncate.restart_identity = options & 2;
    message->truncate.n_relations = n;
    message->truncate.relations = (const guint32 *)(void *)parse->parser->relations->data;
    return true;
}

static bool parse_message(Parse *parse, PgoutputMessage *message)
{
    guint8 flags;
    if (!byte_reader_u8(&parse->reader, &flags))
        return fail_short(parse);
    if (flags > 1)
        return fail(parse, "unknown flags 0x%02x", flags);
    message->message.transactional = flags == 1;
    if (!byte_reader_u64(&parse->reader, &message->message.lsn) ||
        !byte_reader_string(&parse->reader, &message->message.prefix) ||
        !byte_reader_u32(&parse->reader, &message->message.size) ||
        !byte_reader_bytes(&parse->reader, message->message.size, &message->message.content))
        return fail_short(parse);
    return true;
}

static const struct {
    PgoutputKind kind;
    const char *name;
    bool (*parse)(Parse *parse, PgoutputMessage *message);
} message_kinds[] = {
    {PGOUTPUT_INSERT, "Insert", parse_insert},
    {PGOUTPUT_UPDATE, "Update", parse_update},
    {PGOUTPUT_DELETE, "Delete", parse_delete},
    {PGOUTPUT_BEGIN, "Begin", parse_begin},
    {PGOUTPUT_COMMIT, "Commit", parse_commit},
    {PGOUTPUT_RELATION, "Relation", parse_relation},
    {PGOUTPUT_TRUNCATE, "Truncate", parse_truncate},
    {PGOUTPUT_MESSAGE, "Message", parse_message},
    {PGOUTPUT_ORIGIN, "Origin", parse_origin},
    {PGOUTPUT_TYPE, "Type", parse_type},
};

bool pgoutput_parse(Pgoutput *parser, const guint8 *data, gsize size, guint64 lsn,
                    PgoutputMessage *message, GError **error)
{
    Parse parse = {.parser = parser,
                   .reader = byte_reader(data, size),
                   .lsn = lsn,
                   .name = "without a kind",
                   .error = error};
    guint8 kind;
    if (!byte_reader_u8(&parse.reader, &kind))
        return fail_short(&parse);
    for (guint i = 0; i < G_N_ELEMENTS(message_kinds); i++) {
        if (kind != (guint8)message_kinds[i].kind)
            continue;
        parse.name = message_kinds[i].name;
        message->kind = message_kinds[i].kind;
        if (!message_kinds[i].parse(&parse, message))
            return false;
        if (byte_reader_left(&parse.reader) > 0)
            return fail(&parse, "surplus bytes");
        return true;
    }
    char text[8];
    parse.name = byte_name(kind, text, sizeof text);
    return fail(&parse, "unknown kind");
}
