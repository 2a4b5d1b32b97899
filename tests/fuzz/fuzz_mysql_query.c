/*
 * Any bytes as a statement in the binlog: it is classified, and what was found has its parts. An
 * input is a byte of sql_mode, a byte of charset, and the statement.
 */
#include "capture/mysql/query.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    g_autofree char *exact = g_memdup2(data + 2, size - 2);
    BinlogQuery query = {.sql_mode = (data[0] & 1 ? 0x4u : 0) | (data[0] & 2 ? 0x100000u : 0),
                         .client_charset = data[1],
                         .statement = {exact, size - 2},
                         .database = {"shop", 4}};
    g_auto(QueryMeaning) meaning = query_classify(&query);
    g_assert_nonnull(meaning.what);
    g_assert_nonnull(meaning.tables);
    if (meaning.kind == QUERY_TRUNCATE)
        g_assert_cmpuint(meaning.tables->len, ==, 1);
    if (meaning.kind == QUERY_DDL)
        g_assert_cmpuint(meaning.tables->len, >, 0);
    if (meaning.kind == QUERY_XA_COMMIT)
        g_assert_nonnull(meaning.xid);
    return 0;
}
