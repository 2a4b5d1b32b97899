#include "capture/mysql/prepared.h"

#include "proto/error.h"

#include <string.h>

typedef struct PreparedXa {
    char *name;
    char *since;
    Held *held;
} PreparedXa;

struct Prepared {
    GPtrArray *list; /* PreparedXa, in the order in which they were prepared */
};

static void free_xa(gpointer data)
{
    PreparedXa *xa = data;
    g_free(xa->name);
    g_free(xa->since);
    held_free(xa->held);
    g_free(xa);
}

Prepared *prepared_new(void)
{
    Prepared *prepared = g_new0(Prepared, 1);
    prepared->list = g_ptr_array_new_with_free_func(free_xa);
    return prepared;
}

void prepared_free(Prepared *prepared)
{
    if (!prepared)
        return;
    g_ptr_array_unref(prepared->list);
    g_free(prepared);
}

static bool find(const Prepared *prepared, const char *name, guint *place)
{
    for (*place = 0; *place < prepared->list->len; ++*place)
        if (strcmp(((const PreparedXa *)prepared->list->pdata[*place])->name, name) == 0)
            return true;
    return false;
}

bool prepared_add(Prepared *prepared, const char *name, Held *held, const char *since,
                  GError **error)
{
    guint place;
    if (find(prepared, name, &place)) {
        held_free(held);
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                    "XA transaction %s is prepared a second time, and the log does not say how it "
                    "ended; start the migration over (drover drop, then run)",
                    name);
        return false;
    }
    PreparedXa *xa = g_new0(PreparedXa, 1);
    xa->name = g_strdup(name);
    xa->since = g_strdup(since);
    xa->held = held;
    g_ptr_array_add(prepared->list, xa);
    return true;
}

bool prepared_take(Prepared *prepared, const char *name, Held **held)
{
    guint place;
    *held = NULL;
    if (!find(prepared, name, &place))
        return false;
    PreparedXa *xa = prepared->list->pdata[place];
    *held = g_steal_pointer(&xa->held);
    g_ptr_array_remove_index(prepared->list, place);
    return true;
}

const char *prepared_since(const Prepared *prepared)
{
    return prepared->list->len > 0 ? ((const PreparedXa *)prepared->list->pdata[0])->since : NULL;
}

static void append_bytes(GString *name, const guint8 *data, gsize size)
{
    g_string_append(name, "x'");
    for (gsize i = 0; i < size; i++)
        g_string_append_printf(name, "%02x", data[i]);
    g_string_append_c(name, '\'');
}

char *prepared_name_of_xid(const BinlogXid *xid)
{
    GString *name = g_string_new(NULL);
    append_bytes(name, xid->data, xid->gtrid_size);
    g_string_append_c(name, ',');
    append_bytes(name, xid->data + xid->gtrid_size, xid->bqual_size);
    g_string_append_printf(name, ",%u", xid->format);
    return g_string_free(name, false);
}

static bool skip_bytes(const char **at)
{
    if (!g_str_has_prefix(*at, "x'"))
        return false;
    for (*at += 2; g_ascii_isxdigit(**at);)
        ++*at;
    return *(*at)++ == '\'';
}

char *prepared_name_of_text(const char *text)
{
    g_autofree char *name = g_ascii_strdown(text, -1);
    const char *at = name;
    if (!skip_bytes(&at) || *at++ != ',' || !skip_bytes(&at) || *at++ != ',' ||
        !g_ascii_isdigit(*at))
        return NULL;
    while (g_ascii_isdigit(*at))
        at++;
    return *at == 0 ? g_steal_pointer(&name) : NULL;
}
