#include "schema/product.h"

#include <string.h>

#define FIRST_WITH_FULL_NAMES 101001 /* MariaDB: collations whose names lack the character set */

static bool read_collations(Product *product, MYSQL *mysql, GError **error)
{
    bool full = product->kind == PRODUCT_MARIADB && product->version >= FIRST_WITH_FULL_NAMES;
    g_autoptr(MYSQL_RES) rows = mysql_session_query(
        mysql,
        full ? "select full_collation_name from information_schema.collation_character_set_"
               "applicability"
             : "select collation_name from information_schema.collations",
        error);
    if (rows == NULL)
        return false;
    product->collations = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    MYSQL_ROW row;
    while ((row = mysql_fetch_row(rows)) != NULL)
        if (row[0] != NULL)
            g_hash_table_add(product->collations, g_strdup(row[0]));
    return true;
}

Product *product_of(const Server *server, GError **error)
{
    g_autoptr(Product) product = g_new0(Product, 1);
    product->version = (guint)server->version;
    if (server->pg != NULL)
        return g_steal_pointer(&product);
    product->kind = server->is_mariadb ? PRODUCT_MARIADB : PRODUCT_MYSQL;
    return read_collations(product, server->mysql, error) ? g_steal_pointer(&product) : NULL;
}

void product_free(Product *product)
{
    if (product == NULL)
        return;
    g_clear_pointer(&product->collations, g_hash_table_unref);
    g_free(product);
}

bool product_speaks_mysql(const Product *product)
{
    return product->kind != PRODUCT_POSTGRESQL;
}

const char *product_name(const Product *product)
{
    static const char *const names[] = {"PostgreSQL", "MySQL", "MariaDB"};
    return names[product->kind];
}

bool product_knows_collation(const Product *product, const char *collation)
{
    if (product->collations != NULL)
        return g_hash_table_contains(product->collations, collation);
    if (product->kind == PRODUCT_MARIADB)
        return strstr(collation, "_0900_") == NULL;
    return strstr(collation, "_uca1400_") == NULL && strstr(collation, "_nopad_") == NULL;
}

const char *product_binary_collation(const Product *product)
{
    return product->kind == PRODUCT_MARIADB ? "utf8mb4_nopad_bin" : "utf8mb4_0900_bin";
}
