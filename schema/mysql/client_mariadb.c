/* MariaDB Connector/C: no TLS unless it is asked for. */
#include "schema/mysql/client.h"

MYSQL *mysql_client_new(void)
{
    MYSQL *mysql = mysql_init(NULL);
    g_assert(mysql);
    return mysql;
}

void mysql_client_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls)
{
    my_bool on = 1, verify = tls == MYSQL_TLS_VERIFY;
    if (tls == MYSQL_TLS_OFF)
        return;
    mysql_ssl_set(mysql, endpoint->tls_key, endpoint->tls_cert, endpoint->tls_ca, NULL, NULL);
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}
