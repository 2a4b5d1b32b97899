/*
 * The inside of json.h: a document as a tree, between its binary form (json_tree.c), its changes
 * (json_diff.c) and its text (json_text.c). Nodes live in the tree's arena and point into the bytes
 * that were read.
 */
#pragma once

#include "proto/arena.h"

#include <glib.h>
#include <stdbool.h>

typedef enum {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_SIGNED,
    JSON_UNSIGNED,
    JSON_DOUBLE,
    JSON_STRING,
    JSON_OPAQUE, /* a value of an SQL type */
    JSON_ARRAY,
    JSON_OBJECT
} JsonKind;

typedef struct JsonNode JsonNode;

typedef struct JsonItem {
    const guint8 *key; /* of an object: UTF-8 */
    gsize key_size;
    JsonNode *node;
} JsonItem;

struct JsonNode {
    JsonKind kind;
    guint8 opaque_type; /* ColumnType */
    gint64 integer;
    double number;
    const guint8 *data; /* string, opaque */
    gsize size;
    JsonItem *items; /* array, object: in order of keys */
    guint n_items;
    guint room;
};

#define JSON_DEPTH_LIMIT 100 /* the server's */

/* NULL, and what is wrong in *wrong. */
JsonNode *json_tree_read(Arena *arena, const guint8 *data, gsize size, const char **wrong);

/* Puts an item at a place in front of what stands there; at most n_items. */
void json_tree_insert(Arena *arena, JsonNode *parent, guint place, JsonItem item);
void json_tree_remove(JsonNode *parent, guint place);

/* The place of a key; false and the place where it belongs. */
bool json_tree_find(const JsonNode *object, const guint8 *key, gsize size, guint *place);

/* Makes the changes; NULL or what is wrong. */
const char *json_tree_apply(Arena *arena, JsonNode **root, const guint8 *diff, gsize size);

/* False where a value has no text. */
bool json_tree_append_text(const JsonNode *node, GByteArray *out);
