#include "apply/mysql/bulk.h"

#include "apply/mysql/row_text.h"
#include "schema/connection_mysql.h"
#include "schema/mysql/literal.h"

#include <string.h>

#define INSERT_BLOCK (256 * 1024) /* a longer text costs the server more a row */
#define LOAD_BLOCK (4 * 1024 * 1024)
#define PACKET_RESERVE 1024 /* of max_allowed_packet, for what the protocol adds */

/* --- Statements ------------------------------------------------------------------------------- */

void bulk_init(Bulk *bulk, Target *target, const char *name, bool many)
{
    *bulk = (Bulk){.target = target, .load = many && target->local_infile};
    bulk->start =
        g_string_new(bulk->load ? "load data local infile 'drover' into table " : "insert into ");
    g_string_append(bulk->start, name);
    bulk->columns = g_array_new(FALSE, FALSE, sizeof(BulkColumn));
    bulk->limit = bulk->load ? LOAD_BLOCK : MIN(INSERT_BLOCK, target->max_packet / 2);
}

void bulk_add_column(Bulk *bulk, const char *name, const Column *column)
{
    g_autoptr(GString) quoted = g_string_new(NULL);
    mysql_session_append_identifier(quoted, name);
    BulkColumn added = {.name = g_string_free(g_steal_pointer(&quoted), FALSE), .column = column};
    g_array_append_val(bulk->columns, added);
}

void bulk_clear(Bulk *bulk)
{
    for (guint i = 0; bulk->columns && i < bulk->columns->len; i++)
        g_free(g_array_index(bulk->columns, BulkColumn, i).name);
    g_clear_pointer(&bulk->columns, g_array_unref);
    if (bulk->start)
        g_string_free(bulk->start, TRUE);
    if (bulk->text)
        g_string_free(bulk->text, TRUE);
    *bulk = (Bulk){0};
}

static const BulkColumn *column_at(const Bulk *bulk, guint i)
{
    return &g_array_index(bulk->columns, BulkColumn, i);
}

static void complete_insert(Bulk *bulk)
{
    for (guint i = 0; i < bulk->columns->len; i++)
        g_string_append_printf(bulk->start, "%s%s", i > 0 ? ", " : " (", column_at(bulk, i)->name);
    g_string_append(bulk->start, ") values ");
}

/* A field that needs a value is read into @v<number>, and the column is set from it. */
static void complete_load(Bulk *bulk)
{
    g_autoptr(GString) set = g_string_new(NULL);
    g_string_append(bulk->start,
                    " character set utf8mb4 fields terminated by '\t' escaped by '\\\\' "
                    "lines terminated by '\n'");
    for (guint i = 0; i < bulk->columns->len; i++) {
        const BulkColumn *column = column_at(bulk, i);
        g_string_append(bulk->start, i > 0 ? ", " : " (");
        if (!mysql_field_needs_value(column->column)) {
            g_string_append(bulk->start, column->name);
            continue;
        }
        g_autofree char *variable = g_strdup_printf("@v%u", i);
        g_string_append(bulk->start, variable);
        g_string_append_printf(set, "%s%s = ", set->len > 0 ? ", " : " set ", column->name);
        mysql_append_field_value(set, column->column, variable);
    }
    g_string_append_printf(bulk->start, ")%s", set->str);
}

/* --- Failures --------------------------------------------------------------------------------- */

/* The end of the field that begins here. */
static const char *field_end(const Bulk *bulk, const char *field)
{
    bool quoted = false;
    const char *end = bulk->text->str + bulk->text->len;
    if (bulk->load)
        for (; field < end && *field != '\t' && *field != '\n'; field++)
            field += *field == '\\';
    else
        for (; field < end && (quoted || (*field != ',' && *field != ')')); field++)
            quoted ^= *field == '\'';
    return MIN(field, end);
}

/* A column of the key, where it stands first: in a stage it comes again as that of the base. */
static bool is_key(const Bulk *bulk, guint i)
{
    const Column *column = column_at(bulk, i)->column;
    bool first = true;
    for (guint j = 0; j < i; j++)
        first = first && column_at(bulk, j)->column != column;
    return first && column->key_place >= 0;
}

static void append_key_cell(const Bulk *bulk, guint i, const char *field, const char *end,
                            GString *key)
{
    const BulkColumn *column = column_at(bulk, i);
    if (!is_key(bulk, i))
        return;
    g_autofree char *value = g_utf8_make_valid(field, MIN(end - field, ROW_TEXT_VALUE));
    g_string_append_printf(key, "%s%s=%s", key->len > 0 ? ", " : "", column->column->name, value);
}

/* The key of the row (from 1) of the block, from its text. */
static char *key_of_row(const Bulk *bulk, gint64 row)
{
    GString *key = g_string_new(NULL);
    const char *field = bulk->text->str + bulk->head;
    for (gint64 at = 1; at <= row; at++)
        for (guint i = 0; i < bulk->columns->len; i++) {
            if (i == 0 && !bulk->load)
                field += at > 1 ? strlen(",(") : strlen("(");
            const char *end = field_end(bulk, field);
            if (at == row)
                append_key_cell(bulk, i, field, end, key);
            field = end + 1;
        }
    return g_string_free(key, FALSE);
}

/* Servers tell the row by its number in the statement. */
static void name_row(const Bulk *bulk, GError **error)
{
    if (!error || !*error)
        return;
    const char *found = g_strrstr((*error)->message, " at row ");
    gint64 row = found ? g_ascii_strtoll(found + strlen(" at row "), NULL, 10) : 0;
    if (row < 1 || row > bulk->in_block)
        return;
    g_autofree char *key = key_of_row(bulk, row);
    if (key[0])
        g_prefix_error(error, "the row with %s: ", key);
}

/* The first warning as an error. */
static bool fail_with_warning(const Bulk *bulk, gint64 rows, GError **error)
{
    static const char sql[] = "show warnings limit 1";
    g_autoptr(Answer) answer = mysql_target_ask(bulk->target, sql, strlen(sql), error);
    if (!answer)
        return false;
    if (answer->n_rows > 0)
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "%s (warning %s)",
                    answer_get(answer, 0, 2), answer_get(answer, 0, 1));
    else
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "the server took %" G_GINT64_FORMAT " of %" G_GINT64_FORMAT
                    " rows and says not why",
                    rows, bulk->in_block);
    return false;
}

/* --- Sending ---------------------------------------------------------------------------------- */

static bool insert_rows(Bulk *bulk, gsize end, gint64 *rows, GError **error)
{
    if (end + PACKET_RESERVE <= bulk->target->max_packet)
        return mysql_target_run(bulk->target, bulk->text->str, end, rows, error);
    g_autofree char *key = key_of_row(bulk, 1);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                "the row with %s takes %" G_GSIZE_FORMAT " bytes in a statement, and the target's "
                "max_allowed_packet is %" G_GSIZE_FORMAT
                ": raise it, or set local_infile = on there",
                key, end, bulk->target->max_packet);
    return false;
}

typedef struct Feed {
    const char *data;
    gsize left;
} Feed;

static int feed_start(void **file, const char *name, void *user)
{
    (void)name;
    *file = user;
    return 0;
}

static int feed_read(void *file, char *buffer, unsigned int size)
{
    Feed *feed = file;
    unsigned int n = (unsigned int)MIN(feed->left, size);
    memcpy(buffer, feed->data, n);
    feed->data += n;
    feed->left -= n;
    return (int)n;
}

static void feed_end(void *file)
{
    (void)file;
}

static int feed_error(void *file, char *message, unsigned int size)
{
    (void)file;
    g_strlcpy(message, "reading rows failed", size);
    return 2;
}

static bool load_rows(Bulk *bulk, gsize end, gint64 *rows, GError **error)
{
    Feed feed = {bulk->text->str, end};
    mysql_set_local_infile_handler(bulk->target->mysql, feed_start, feed_read, feed_end, feed_error,
                                   &feed);
    bool done = mysql_target_run(bulk->target, bulk->start->str, bulk->start->len, rows, error);
    mysql_session_give_nothing(bulk->target->mysql);
    return done;
}

/* The first rows of the block, up to a place in the text. */
static bool send_rows(Bulk *bulk, gsize end, gint64 n, GError **error)
{
    gint64 rows = 0;
    bool done =
        bulk->load ? load_rows(bulk, end, &rows, error) : insert_rows(bulk, end, &rows, error);
    done = done && ((rows == n && mysql_warning_count(bulk->target->mysql) == 0) ||
                    fail_with_warning(bulk, rows, error));
    if (!done)
        name_row(bulk, error);
    bulk->sent += n;
    bulk->in_block -= n;
    return done;
}

/* Begins a block with what stands in the old one from a place on. A text that one large row has
 * made larger than others is given back. */
static void next_block(Bulk *bulk, gsize from)
{
    GString *old = bulk->text;
    gsize left = old->len - from;
    if (old->allocated_len > 2 * bulk->limit) {
        bulk->text = g_string_sized_new(bulk->head + left);
        g_string_append_len(bulk->text, old->str, (gssize)bulk->head);
        g_string_append_len(bulk->text, old->str + from, (gssize)left);
        g_string_free(old, TRUE);
        return;
    }
    memmove(old->str + bulk->head, old->str + from, left);
    g_string_truncate(old, bulk->head + left);
}

/* A large row does not share a statement that would get too large by it. */
static bool send_rows_before(Bulk *bulk, GError **error)
{
    if (!send_rows(bulk, bulk->row_start, bulk->in_block - 1, error))
        return false;
    next_block(bulk, bulk->row_start + strlen(","));
    return true;
}

static bool send_block(Bulk *bulk, GError **error)
{
    bool too_large = !bulk->load && bulk->text->len + PACKET_RESERVE > bulk->target->max_packet;
    if (too_large && bulk->in_block > 1 && !send_rows_before(bulk, error))
        return false;
    bool done = send_rows(bulk, bulk->text->len, bulk->in_block, error);
    next_block(bulk, bulk->text->len);
    return done;
}

/* --- Rows ------------------------------------------------------------------------------------- */

/* Before the first row, when all columns are known. */
static void complete_start(Bulk *bulk)
{
    if (bulk->text)
        return;
    bulk->text = g_string_sized_new(bulk->limit / 4);
    if (bulk->load)
        complete_load(bulk);
    else
        complete_insert(bulk);
    if (!bulk->load)
        g_string_append_len(bulk->text, bulk->start->str, (gssize)bulk->start->len);
    bulk->head = bulk->text->len;
}

static void start_row(Bulk *bulk)
{
    complete_start(bulk);
    bulk->row_start = bulk->text->len;
    if (!bulk->load)
        g_string_append(bulk->text, bulk->in_block > 0 ? ",(" : "(");
}

bool bulk_put_cell(Bulk *bulk, const Cell *cell, GError **error)
{
    if (bulk->cells == 0)
        start_row(bulk);
    else
        g_string_append_c(bulk->text, bulk->load ? '\t' : ',');
    const Column *column = column_at(bulk, bulk->cells++)->column;
    return (bulk->load ? mysql_append_field : mysql_append_literal)(bulk->text, column, cell,
                                                                    error);
}

bool bulk_end_row(Bulk *bulk, GError **error)
{
    g_string_append_c(bulk->text, bulk->load ? '\n' : ')');
    bulk->cells = 0;
    bulk->in_block++;
    return bulk->text->len < bulk->limit || send_block(bulk, error);
}

bool bulk_end(Bulk *bulk, gint64 *rows, GError **error)
{
    if (bulk->in_block > 0 && !send_block(bulk, error))
        return false;
    *rows = bulk->sent;
    return true;
}
