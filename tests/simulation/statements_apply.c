/* Accounts and the refetch list. */
#include "tests/simulation/statements_inside.h"

#include "schema/sql/embedded.h"
#include "schema/text_array.h"
#include "tests/simulation/world.h"

static Answer *accounts_add(Session *session, const char *const *values, GError **error)
{
    g_auto(GStrv) ids = text_array_parse(values[1]);
    for (guint i = 0; ids[i] != NULL; i++) {
        StoredRow *row = store_change(session, ROW_TABLE + table_of(ids[i]), error);
        if (row == NULL)
            return NULL;
        for (guint a = 0; a < N_ACCOUNTS; a++) {
            g_auto(GStrv) counts = text_array_parse(values[2 + a]);
            row->of.table.accounts[a] += number_of(counts[i]);
        }
    }
    return statement_answer(0, 0, g_strv_length(ids));
}

/* ---- the refetch list ---- */

/* "\x" and row_pack in hexadecimal. */
static guint key_of_hex(guint table, const char *hex)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (hex += 2; *hex != '\0'; hex += 2) {
        guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));
        g_byte_array_append(bytes, &byte, 1);
    }
    Row key;
    if (!row_unpack(bytes->data, bytes->len, migration_table(&world.migration, table + 1)->n_key,
                    &key))
        world_fail("a key on the refetch list cannot be read");
    guint number = rows_key_of(table, &key);
    g_free(key.cells);
    return number;
}

static Answer *set_listed(Session *session, const char *const *values, bool listed, GError **error)
{
    guint table = table_of(values[1]), key = key_of_hex(table, values[2]);
    StoredRow *row = store_change(session, row_of_key(ROW_REFETCH, table, key), error);
    if (row == NULL)
        return NULL;
    bool changed = row->exists != listed;
    row->exists = listed;
    return statement_answer(0, 0, changed);
}

static Answer *refetch_add(Session *session, const char *const *values, GError **error)
{
    if (process_current() != NULL)
        COVER(key_is_wanted);
    return set_listed(session, values, true, error);
}

static Answer *refetch_remove(Session *session, const char *const *values, GError **error)
{
    COVER(refetched_row_is_injected);
    return set_listed(session, values, false, error);
}

static Answer *refetch_list(Session *session, const char *const *values, GError **error)
{
    (void)error;
    guint64 limit = number_of(values[1]);
    Answer *answer = statement_answer(0, 2, -1);
    for (guint t = 0; t < SIM_TABLES; t++) {
        for (guint k = 0; k < SIM_KEYS && answer->n_rows < limit; k++) {
            RowTexts texts;
            g_autoptr(GByteArray) packed = g_byte_array_new();
            g_autoptr(GString) hex = g_string_new(NULL);
            if (!store_row(session, row_of_key(ROW_REFETCH, t, k))->exists)
                continue;
            rows_fill_key(&texts, t, k);
            row_pack(&texts.row, packed);
            for (guint i = 0; i < packed->len; i++)
                g_string_append_printf(hex, "%02x", packed->data[i]);
            answer_put_number(answer_add_row(answer), 0, t + 1);
            answer_put(answer, 1, hex->str);
        }
    }
    return answer;
}

const Statement statements_of_apply[] = {
    {"accounts_add", embedded_control_accounts_add, accounts_add},
    {"refetch_add", embedded_control_refetch_add, refetch_add},
    {"refetch_remove", embedded_control_refetch_remove, refetch_remove},
    {"refetch_list", embedded_control_refetch_list, refetch_list},
    {NULL, NULL, NULL},
};
