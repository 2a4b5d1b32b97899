/*
 * Grants: what an account of MySQL or MariaDB may do, from SHOW GRANTS, with what its active roles
 * give it. For the preflight, which names everything that is missing at once.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

typedef struct MysqlGrants MysqlGrants;

/* patterns: names of databases in GRANTs are patterns, which they are unless the server has
 * partial_revokes. */
MysqlGrants *mysql_grants_new(bool patterns);
void mysql_grants_free(MysqlGrants *grants);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(MysqlGrants, mysql_grants_free)

/* One line of SHOW GRANTS. Lines that are no GRANT or REVOKE of privileges are passed over. */
void mysql_grants_add(MysqlGrants *grants, const char *line);

/* privilege: as the server writes it, "REPLICATION SLAVE". database NULL: on everything. True only
 * where it holds for the whole database. */
bool mysql_grants_has(const MysqlGrants *grants, const char *privilege, const char *database);
