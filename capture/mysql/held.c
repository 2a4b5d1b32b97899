/*
 * A record: u32 size of the rest, u8 operation, u32 table, u64 schema version, u32 cells and u32
 * bytes of the old key, the same of the row, then both as row_pack writes them. In the machine's
 * own byte order: nobody else reads it.
 */
#include "capture/mysql/held.h"

#include "proto/byte_reader.h"
#include "proto/error.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#define READ_PIECE (256 * 1024)

typedef struct HeldHead {
    guint32 size; /* of the record behind this number */
    guint32 table;
    guint64 schema_version;
    guint32 key_cells;
    guint32 key_size;
    guint32 row_cells;
    guint32 row_size;
    guint8 operation;
} HeldHead;

struct Held {
    gsize memory;
    int file;           /* -1: none yet */
    guint64 file_size;  /* what stands in it, the start of everything */
    GByteArray *buffer; /* written: what follows that; read: a piece of all */
    bool reading;
    guint64 read_from; /* of the file: where the piece after the buffer begins */
    gsize at;          /* in buffer */
    GByteArray *tail;  /* reading: what was in memory */
    Row key;
    Row row;
};

Held *held_new(gsize memory)
{
    Held *held = g_new0(Held, 1);
    held->memory = memory;
    held->file = -1;
    held->buffer = g_byte_array_new();
    return held;
}

static void clear_rows(Held *held)
{
    g_clear_pointer(&held->key.cells, g_free);
    g_clear_pointer(&held->row.cells, g_free);
}

void held_free(Held *held)
{
    if (!held)
        return;
    if (held->file >= 0)
        close(held->file);
    clear_rows(held);
    g_byte_array_unref(held->buffer);
    if (held->tail)
        g_byte_array_unref(held->tail);
    g_free(held);
}

static bool fail_file(const char *what, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "changes of an open transaction cannot be %s a temporary file in %s: %s; make room "
                "there, or set TMPDIR",
                what, g_get_tmp_dir(), g_strerror(errno));
    return false;
}

/* ---- writing ---- */

static bool open_file(Held *held, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *name = NULL;
    held->file = g_file_open_tmp("drover-XXXXXX", &name, &failure);
    if (held->file < 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                    "changes of an open transaction need a temporary file: %s", failure->message);
        return false;
    }
    g_unlink(name);
    return true;
}

static bool spill(Held *held, GError **error)
{
    if (held->file < 0 && !open_file(held, error))
        return false;
    for (gsize done = 0; done < held->buffer->len;) {
        ssize_t written = pwrite(held->file, held->buffer->data + done, held->buffer->len - done,
                                 (off_t)(held->file_size + done));
        if (written < 0 && errno != EINTR)
            return fail_file("written to", error);
        done += written > 0 ? (gsize)written : 0;
    }
    held->file_size += held->buffer->len;
    g_byte_array_set_size(held->buffer, 0);
    return true;
}

bool held_add(Held *held, const Change *change, GError **error)
{
    g_assert(!held->reading);
    HeldHead head = {.table = change->table,
                     .schema_version = change->schema_version,
                     .key_cells = change->old_key.n_cells,
                     .row_cells = change->row.n_cells,
                     .operation = (guint8)change->operation};
    guint start = held->buffer->len;
    g_byte_array_set_size(held->buffer, start + (guint)sizeof head);
    row_pack(&change->old_key, held->buffer);
    head.key_size = held->buffer->len - start - (guint)sizeof head;
    row_pack(&change->row, held->buffer);
    head.size = held->buffer->len - start - (guint)sizeof head;
    head.row_size = head.size - head.key_size;
    memcpy(held->buffer->data + start, &head, sizeof head);
    return held->buffer->len < held->memory || spill(held, error);
}

bool held_is_empty(const Held *held)
{
    return held->file_size == 0 && held->buffer->len == 0;
}

guint64 held_place(const Held *held)
{
    return held->file_size + held->buffer->len;
}

bool held_cut(Held *held, guint64 place, GError **error)
{
    g_assert(!held->reading && place <= held_place(held));
    if (place >= held->file_size) {
        g_byte_array_set_size(held->buffer, (guint)(place - held->file_size));
        return true;
    }
    g_byte_array_set_size(held->buffer, 0);
    held->file_size = place;
    return ftruncate(held->file, (off_t)place) == 0 || fail_file("taken back from", error);
}

/* ---- reading ---- */

static void start_reading(Held *held)
{
    held->reading = true;
    held->tail = g_steal_pointer(&held->buffer);
    held->buffer = g_byte_array_new();
}

/* Moves the rest of the buffer to its start and has `size` bytes in it, of the file as long as
 * there are some. */
static bool fill(Held *held, gsize size, GError **error)
{
    if (held->buffer->len - held->at >= size)
        return true;
    if (held->at > 0)
        g_byte_array_remove_range(held->buffer, 0, (guint)held->at);
    held->at = 0;
    while (held->buffer->len < size && held->read_from < held->file_size) {
        guint have = held->buffer->len;
        guint64 left = held->file_size - held->read_from;
        gsize piece = (gsize)MIN(left, MAX(READ_PIECE, size - have));
        g_byte_array_set_size(held->buffer, have + (guint)piece);
        ssize_t got = pread(held->file, held->buffer->data + have, piece, (off_t)held->read_from);
        g_byte_array_set_size(held->buffer, have + (guint)MAX(got, 0));
        if (got == 0)
            errno = EIO;
        if (got == 0 || (got < 0 && errno != EINTR))
            return fail_file("read from", error);
        held->read_from += (guint64)MAX(got, 0);
    }
    if (held->buffer->len < size && held->tail) {
        g_byte_array_append(held->buffer, held->tail->data, held->tail->len);
        g_byte_array_unref(g_steal_pointer(&held->tail));
    }
    return true;
}

static bool fail_record(GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "changes of an open transaction are damaged in a temporary file");
    return false;
}

bool held_next(Held *held, Change *change, bool *end, GError **error)
{
    HeldHead head;
    clear_rows(held);
    if (!held->reading)
        start_reading(held);
    if (!fill(held, sizeof head, error))
        return false;
    *end = held->buffer->len == held->at;
    if (*end)
        return true;
    if (held->buffer->len - held->at < sizeof head)
        return fail_record(error);
    memcpy(&head, held->buffer->data + held->at, sizeof head);
    if (!fill(held, sizeof head + head.size, error))
        return false;
    const guint8 *bytes = held->buffer->data + held->at + sizeof head;
    if (held->buffer->len - held->at < sizeof head + head.size ||
        !row_unpack(bytes, head.key_size, head.key_cells, &held->key) ||
        !row_unpack(bytes + head.key_size, head.row_size, head.row_cells, &held->row))
        return fail_record(error);
    held->at += sizeof head + head.size;
    *change = (Change){.operation = head.operation,
                       .table = head.table,
                       .schema_version = head.schema_version,
                       .old_key = held->key,
                       .row = held->row};
    return true;
}
