#include "schema/type.h"

static const TypeInfo types[] = {
#define TYPE(oid, array_oid, name) {oid, array_oid, name},
#include "schema/types.def"
#undef TYPE
};

const TypeInfo *type_find(guint32 oid, bool *array)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        if (types[i].oid != oid && types[i].array_oid != oid)
            continue;
        if (array != NULL)
            *array = types[i].array_oid == oid;
        return &types[i];
    }
    return NULL;
}
