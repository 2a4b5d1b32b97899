/*
 * A change: u8 what (0 replace, 1 insert, 2 remove), packed size, path, and unless it removes
 * packed size, binary value. A path is "$" and steps: .name, ."name as a JSON string" or [number].
 */
#include "capture/mysql/json_tree.h"
#include "proto/byte_reader.h"

typedef enum { REPLACE = 0, INSERT = 1, REMOVE = 2 } Change;

typedef struct Step {
    bool is_key;
    const guint8 *key;
    gsize key_size;
    guint64 number;
} Step;

static const char bad_path[] = "a change whose path drover does not understand";
static const char no_place[] = "a change that does not fit the document";

static bool take_hex(ByteReader *path, gunichar *character)
{
    *character = 0;
    for (guint i = 0; i < 4; i++) {
        guint8 digit;
        if (!byte_reader_u8(path, &digit) || !g_ascii_isxdigit((char)digit))
            return false;
        *character = *character * 16 + (guint)g_ascii_xdigit_value((char)digit);
    }
    return true;
}

static bool take_unicode(ByteReader *path, GByteArray *name)
{
    gunichar character, low;
    guint8 mark[2];
    char utf8[6];
    if (!take_hex(path, &character))
        return false;
    if (character >= 0xd800 && character < 0xdc00) {
        if (!byte_reader_u8(path, &mark[0]) || !byte_reader_u8(path, &mark[1]) || mark[0] != '\\' ||
            mark[1] != 'u' || !take_hex(path, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
    }
    g_byte_array_append(name, (const guint8 *)utf8, (guint)g_unichar_to_utf8(character, utf8));
    return true;
}

static bool take_escape(ByteReader *path, GByteArray *name)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    guint8 byte;
    if (!byte_reader_u8(path, &byte) || byte == 0)
        return false;
    if (byte == 'u')
        return take_unicode(path, name);
    const char *place = strchr(from, byte);
    if (!place)
        return false;
    g_byte_array_append(name, (const guint8 *)&to[place - from], 1);
    return true;
}

/* Behind the opening quote. */
static bool take_quoted(ByteReader *path, Arena *arena, Step *step)
{
    g_autoptr(GByteArray) name = g_byte_array_new();
    for (;;) {
        guint8 byte;
        if (!byte_reader_u8(path, &byte))
            return false;
        if (byte == '"')
            break;
        if (byte != '\\')
            g_byte_array_append(name, &byte, 1);
        else if (!take_escape(path, name))
            return false;
    }
    step->key = arena_copy(arena, name->data, name->len);
    step->key_size = name->len;
    return true;
}

static bool take_step(ByteReader *path, Arena *arena, Step *step)
{
    guint8 mark;
    *step = (Step){0};
    if (!byte_reader_u8(path, &mark))
        return false;
    if (mark == '[') {
        gsize digits = 0;
        for (; byte_reader_u8(path, &mark) && g_ascii_isdigit((char)mark) && digits < 10; digits++)
            step->number = step->number * 10 + (mark - '0');
        return digits > 0 && mark == ']';
    }
    step->is_key = true;
    if (mark != '.' || byte_reader_left(path) == 0)
        return false;
    if (path->data[path->offset] == '"') {
        path->offset++;
        return take_quoted(path, arena, step);
    }
    step->key = path->data + path->offset;
    while (byte_reader_left(path) > 0 && path->data[path->offset] != '.' &&
           path->data[path->offset] != '[')
        path->offset++;
    step->key_size = (gsize)(path->data + path->offset - step->key);
    return step->key_size > 0;
}

/* Is there a child at the step? Its place, or the place where it belongs. */
static bool find_child(const JsonNode *node, const Step *step, guint *place)
{
    if (step->is_key)
        return json_tree_find(node, step->key, step->key_size, place);
    *place = (guint)MIN(step->number, node->n_items);
    return step->number < node->n_items;
}

static bool fits(const JsonNode *node, const Step *step)
{
    return node->kind == (step->is_key ? JSON_OBJECT : JSON_ARRAY);
}

static const char *change_child(Arena *arena, JsonNode *parent, const Step *step, Change change,
                                JsonNode *value)
{
    guint place;
    if (!fits(parent, step))
        return no_place;
    bool there = find_child(parent, step, &place);
    switch (change) {
    case REPLACE:
        if (!there)
            return no_place;
        parent->items[place].node = value;
        return NULL;
    case REMOVE:
        if (!there)
            return no_place;
        json_tree_remove(parent, place);
        return NULL;
    case INSERT:
        if (there && step->is_key)
            return no_place;
        json_tree_insert(arena, parent, place, (JsonItem){step->key, step->key_size, value});
        return NULL;
    }
    return no_place;
}

static const char *change_at(Arena *arena, JsonNode **root, ByteReader path, Change change,
                             JsonNode *value)
{
    guint8 mark;
    JsonNode *node = *root;
    if (!byte_reader_u8(&path, &mark) || mark != '$')
        return bad_path;
    if (byte_reader_left(&path) == 0) {
        if (change != REPLACE)
            return no_place;
        *root = value;
        return NULL;
    }
    for (guint depth = 0; depth < JSON_DEPTH_LIMIT; depth++) {
        Step step;
        guint place;
        if (!take_step(&path, arena, &step))
            return bad_path;
        if (byte_reader_left(&path) == 0)
            return change_child(arena, node, &step, change, value);
        if (!fits(node, &step) || !find_child(node, &step, &place))
            return no_place;
        node = node->items[place].node;
    }
    return no_place;
}

const char *json_tree_apply(Arena *arena, JsonNode **root, const guint8 *diff, gsize size)
{
    ByteReader reader = byte_reader(diff, size);
    while (byte_reader_left(&reader) > 0) {
        guint8 change;
        guint64 bytes;
        ByteReader path, binary;
        JsonNode *value = NULL;
        const char *wrong = NULL;
        if (!byte_reader_u8(&reader, &change) || !byte_reader_packed(&reader, &bytes) ||
            !byte_reader_part(&reader, bytes, &path))
            return "its changes end too early";
        if (change > REMOVE)
            return "an unknown kind of change";
        if (change != REMOVE) {
            if (!byte_reader_packed(&reader, &bytes) || !byte_reader_part(&reader, bytes, &binary))
                return "its changes end too early";
            value = json_tree_read(arena, binary.data, binary.size, &wrong);
            if (!value)
                return wrong;
        }
        wrong = change_at(arena, root, path, change, value);
        if (wrong)
            return wrong;
    }
    return NULL;
}
