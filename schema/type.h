/*
 * Type: the built-in types whose values drover moves (types.def), and arrays of them.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct TypeInfo {
    guint32 oid;
    guint32 array_oid;
    const char *name;
} TypeInfo;

/* NULL where the type is unmapped. For an array type this is the type of its elements, and *array
 * (may be NULL) is set. */
const TypeInfo *type_find(guint32 oid, bool *array);
