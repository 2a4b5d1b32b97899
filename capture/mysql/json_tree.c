/*
 * A document is a type byte and a value. Numbers are little-endian; an array or object of the small
 * form has counts, sizes and offsets of 2 bytes, of the large form of 4:
 *
 *   array   number of elements, size in bytes, an entry an element
 *   object  number of members, size in bytes, (offset of the key, u16 its size) a member, an entry
 * a member; keys are in order of size, then of bytes entry   type byte, and an offset from the
 * start of the array or object; or the value itself where it is a literal, of 16 bits, or of 32
 * bits in the large form string  size in groups of 7 bits, lowest first, top bit: another follows;
 * bytes opaque  u8 SQL type, size as above, bytes
 *
 * Parts of a sound document do not overlap. A damaged one could refer to the same part very often,
 * so that the size of what was read is counted against the size of the document.
 */
#include "capture/mysql/json_tree.h"

#include "proto/byte_reader.h"

typedef enum {
    SMALL_OBJECT = 0,
    LARGE_OBJECT = 1,
    SMALL_ARRAY = 2,
    LARGE_ARRAY = 3,
    LITERAL = 4,
    INT16 = 5,
    UINT16 = 6,
    INT32 = 7,
    UINT32 = 8,
    INT64 = 9,
    UINT64 = 10,
    DOUBLE = 11,
    STRING = 12,
    OPAQUE = 15
} BinaryType;

typedef struct Reading {
    Arena *arena;
    gsize budget; /* bytes of the document that were not read yet */
    guint depth;
    const char *wrong;
} Reading;

static JsonNode *read_value(Reading *reading, guint8 type, ByteReader bytes);

static JsonNode *fail(Reading *reading, const char *wrong)
{
    if (!reading->wrong)
        reading->wrong = wrong;
    return NULL;
}

static bool spend(Reading *reading, gsize bytes)
{
    if (bytes > reading->budget)
        return fail(reading, "its parts overlap") != NULL;
    reading->budget -= bytes;
    return true;
}

static JsonNode *new_node(Reading *reading, JsonKind kind)
{
    JsonNode *node = arena_alloc0(reading->arena, sizeof *node);
    node->kind = kind;
    return node;
}

static JsonNode *read_literal(Reading *reading, ByteReader bytes)
{
    guint8 value;
    if (!byte_reader_u8(&bytes, &value))
        return fail(reading, "it ends too early");
    if (value > 2)
        return fail(reading, "an unknown literal");
    return new_node(reading, value == 0 ? JSON_NULL : value == 1 ? JSON_TRUE : JSON_FALSE);
}

static JsonNode *read_number(Reading *reading, gsize size, bool is_signed, ByteReader bytes)
{
    guint64 raw;
    if (!byte_reader_le(&bytes, size, &raw))
        return fail(reading, "it ends too early");
    JsonNode *node = new_node(reading, is_signed ? JSON_SIGNED : JSON_UNSIGNED);
    guint unused = 64 - (guint)size * 8;
    node->integer = is_signed ? (gint64)(raw << unused) >> unused : (gint64)raw;
    return node;
}

static JsonNode *read_double(Reading *reading, ByteReader bytes)
{
    guint64 raw;
    if (!byte_reader_le64(&bytes, &raw))
        return fail(reading, "it ends too early");
    JsonNode *node = new_node(reading, JSON_DOUBLE);
    memcpy(&node->number, &raw, sizeof node->number);
    return node;
}

static bool read_size(ByteReader *bytes, guint64 *size)
{
    *size = 0;
    for (guint i = 0; i < 5; i++) {
        guint8 group;
        if (!byte_reader_u8(bytes, &group))
            return false;
        *size |= (guint64)(group & 0x7f) << (7 * i);
        if (!(group & 0x80))
            return true;
    }
    return false;
}

static JsonNode *read_bytes(Reading *reading, JsonKind kind, ByteReader bytes)
{
    JsonNode *node = new_node(reading, kind);
    guint64 size;
    ByteReader content;
    if ((kind == JSON_OPAQUE && !byte_reader_u8(&bytes, &node->opaque_type)) ||
        !read_size(&bytes, &size) || !byte_reader_part(&bytes, size, &content))
        return fail(reading, "it ends too early");
    if (!spend(reading, content.size))
        return NULL;
    node->data = content.data;
    node->size = content.size;
    return node;
}

/* What the entry of an element holds: the value itself, or where it is. */
static JsonNode *read_entry(Reading *reading, ByteReader *entries, ByteReader whole, gsize wide)
{
    guint8 type;
    guint64 offset;
    ByteReader inlined, at = *entries;
    if (!byte_reader_u8(entries, &type) || !byte_reader_part(entries, wide, &inlined))
        return fail(reading, "it ends too early");
    if (!spend(reading, 1 + wide))
        return NULL;
    if (type == LITERAL || type == INT16 || type == UINT16 ||
        (wide == 4 && (type == INT32 || type == UINT32)))
        return read_value(reading, type, inlined);
    at.offset++;
    if (!byte_reader_le(&at, wide, &offset) || offset >= whole.size)
        return fail(reading, "an offset outside of it");
    return read_value(reading, type, byte_reader(whole.data + offset, whole.size - (gsize)offset));
}

static bool read_key(Reading *reading, ByteReader *keys, ByteReader whole, gsize wide,
                     JsonItem *item)
{
    guint64 offset;
    guint16 size;
    if (!byte_reader_le(keys, wide, &offset) || !byte_reader_le16(keys, &size) ||
        offset > whole.size || size > whole.size - offset)
        return fail(reading, "a key outside of it") != NULL;
    item->key = whole.data + offset;
    item->key_size = size;
    return spend(reading, size + wide + sizeof size);
}

static JsonNode *read_items(Reading *reading, JsonKind kind, gsize wide, ByteReader bytes)
{
    guint64 n, size;
    ByteReader whole, keys = {0}, entries;
    gsize start = bytes.offset;
    if (!byte_reader_le(&bytes, wide, &n) || !byte_reader_le(&bytes, wide, &size) ||
        size > bytes.size - start || size < 2 * wide || n > size / (1 + wide))
        return fail(reading, "an array or object of an impossible size");
    whole = byte_reader(bytes.data + start, (gsize)size);
    whole.offset = 2 * wide;
    if ((kind == JSON_OBJECT && !byte_reader_part(&whole, n * (wide + 2), &keys)) ||
        !byte_reader_part(&whole, n * (wide + 1), &entries))
        return fail(reading, "an array or object of an impossible size");
    JsonNode *node = new_node(reading, kind);
    node->items = arena_new_array(reading->arena, JsonItem, n + 1);
    node->room = (guint)n + 1;
    for (guint64 i = 0; i < n; i++) {
        JsonItem item = {0};
        if (kind == JSON_OBJECT && !read_key(reading, &keys, whole, wide, &item))
            return NULL;
        item.node = read_entry(reading, &entries, whole, wide);
        if (!item.node)
            return NULL;
        node->items[node->n_items++] = item;
    }
    return node;
}

static JsonNode *read_nested(Reading *reading, JsonKind kind, gsize wide, ByteReader bytes)
{
    if (reading->depth == JSON_DEPTH_LIMIT)
        return fail(reading, "it is nested too deeply");
    reading->depth++;
    JsonNode *node = read_items(reading, kind, wide, bytes);
    reading->depth--;
    return node;
}

static JsonNode *read_value(Reading *reading, guint8 type, ByteReader bytes)
{
    switch ((BinaryType)type) {
    case SMALL_OBJECT:
        return read_nested(reading, JSON_OBJECT, 2, bytes);
    case LARGE_OBJECT:
        return read_nested(reading, JSON_OBJECT, 4, bytes);
    case SMALL_ARRAY:
        return read_nested(reading, JSON_ARRAY, 2, bytes);
    case LARGE_ARRAY:
        return read_nested(reading, JSON_ARRAY, 4, bytes);
    case LITERAL:
        return read_literal(reading, bytes);
    case INT16:
    case INT32:
    case INT64:
        return read_number(reading, type == INT16 ? 2 : type == INT32 ? 4 : 8, true, bytes);
    case UINT16:
    case UINT32:
    case UINT64:
        return read_number(reading, type == UINT16 ? 2 : type == UINT32 ? 4 : 8, false, bytes);
    case DOUBLE:
        return read_double(reading, bytes);
    case STRING:
        return read_bytes(reading, JSON_STRING, bytes);
    case OPAQUE:
        return read_bytes(reading, JSON_OPAQUE, bytes);
    }
    return fail(reading, "an unknown type");
}

/* No bytes at all are the value that a column has before anything is stored in it: null. */
JsonNode *json_tree_read(Arena *arena, const guint8 *data, gsize size, const char **wrong)
{
    Reading reading = {.arena = arena, .budget = size};
    ByteReader bytes = byte_reader(data, size);
    guint8 type;
    if (!byte_reader_u8(&bytes, &type))
        return new_node(&reading, JSON_NULL);
    JsonNode *node = read_value(&reading, type, byte_reader(data + 1, size - 1));
    *wrong = reading.wrong;
    return node;
}

void json_tree_insert(Arena *arena, JsonNode *parent, guint place, JsonItem item)
{
    if (parent->n_items == parent->room) {
        parent->room = parent->room * 2 + 4;
        JsonItem *items = arena_new_array(arena, JsonItem, parent->room);
        if (parent->n_items > 0)
            memcpy(items, parent->items, parent->n_items * sizeof *items);
        parent->items = items;
    }
    memmove(parent->items + place + 1, parent->items + place,
            (parent->n_items - place) * sizeof item);
    parent->items[place] = item;
    parent->n_items++;
}

void json_tree_remove(JsonNode *parent, guint place)
{
    parent->n_items--;
    memmove(parent->items + place, parent->items + place + 1,
            (parent->n_items - place) * sizeof parent->items[0]);
}

bool json_tree_find(const JsonNode *object, const guint8 *key, gsize size, guint *place)
{
    guint low = 0, high = object->n_items;
    while (low < high) {
        guint middle = low + (high - low) / 2;
        const JsonItem *item = &object->items[middle];
        int order = item->key_size != size ? (item->key_size < size ? -1 : 1)
                    : size > 0             ? memcmp(item->key, key, size)
                                           : 0;
        if (order == 0) {
            *place = middle;
            return true;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *place = low;
    return false;
}
