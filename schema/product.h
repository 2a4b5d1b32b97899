/*
 * Product: what server software one side is, as far as types and the dialect of its SQL go.
 */
#pragma once

#include "schema/server.h"

#include <glib.h>
#include <stdbool.h>

typedef enum { PRODUCT_POSTGRESQL, PRODUCT_MYSQL, PRODUCT_MARIADB } ProductKind;

typedef struct Product {
    ProductKind kind;
    guint version;          /* 150004, 80036, 101106 */
    GHashTable *collations; /* names that a MySQL or MariaDB server knows; NULL: was not asked */
} Product;

/* Asks the server for its collations. */
Product *product_of(const Server *server, GError **error);
void product_free(Product *product);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Product, product_free)

/* MySQL or MariaDB. */
bool product_speaks_mysql(const Product *product);
/* "PostgreSQL", "MySQL", "MariaDB": for messages. */
const char *product_name(const Product *product);
/* A server that was not asked knows what its kind has had for long. */
bool product_knows_collation(const Product *product, const char *collation);
/* The collation of utf8mb4 that compares bytes and pads nothing: never coarser than PostgreSQL's
 * equality. */
const char *product_binary_collation(const Product *product);
