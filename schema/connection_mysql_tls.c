#include "schema/connection_mysql_tls.h"

#include "proto/error.h"

#include <string.h>

static const struct {
    const char *mode;
    guint n;
    MysqlTlsTry tries[2];
    bool needs_ca;
} modes[] = {
    {"disable", 1, {MYSQL_TLS_OFF}, false},
    {"allow", 2, {MYSQL_TLS_OFF, MYSQL_TLS_ON}, false},
    {"prefer", 2, {MYSQL_TLS_ON, MYSQL_TLS_OFF}, false},
    {"require", 1, {MYSQL_TLS_ON}, false},
    {"verify-ca", 1, {MYSQL_TLS_ON}, true},
    {"verify-full", 1, {MYSQL_TLS_VERIFY}, true},
};

guint mysql_session_tls_tries(const Endpoint *endpoint, MysqlTlsTry tries[2], GError **error)
{
    const char *mode = endpoint->tls_mode ? endpoint->tls_mode : "prefer";
    for (gsize i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (strcmp(modes[i].mode, mode) != 0)
            continue;
        if (modes[i].needs_ca && !endpoint->tls_ca) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                        "%s: tls.mode %s needs tls.ca, the certificate that the server's is "
                        "checked against",
                        endpoint->side, mode);
            return 0;
        }
        memcpy(tries, modes[i].tries, sizeof modes[i].tries);
        return modes[i].n;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "%s: unknown tls.mode \"%s\"",
                endpoint->side, mode);
    return 0;
}

#ifdef MARIADB_BASE_VERSION
void mysql_session_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls)
{
    my_bool on = 1, verify = tls == MYSQL_TLS_VERIFY;
    if (tls == MYSQL_TLS_OFF)
        return;
    mysql_ssl_set(mysql, endpoint->tls_key, endpoint->tls_cert, endpoint->tls_ca, NULL, NULL);
    mysql_options(mysql, MYSQL_OPT_SSL_ENFORCE, &on);
    mysql_options(mysql, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}
#else /* Oracle's library, whose default is TLS where the server has it */
void mysql_session_set_tls(MYSQL *mysql, const Endpoint *endpoint, MysqlTlsTry tls)
{
    bool fetch_key = true;
    unsigned int mode = tls == MYSQL_TLS_OFF      ? SSL_MODE_DISABLED
                        : tls == MYSQL_TLS_VERIFY ? SSL_MODE_VERIFY_IDENTITY
                        : endpoint->tls_ca        ? SSL_MODE_VERIFY_CA
                                                  : SSL_MODE_REQUIRED;
    mysql_options(mysql, MYSQL_OPT_SSL_MODE, &mode);
    mysql_options(mysql, MYSQL_OPT_GET_SERVER_PUBLIC_KEY, &fetch_key);
    if (tls == MYSQL_TLS_OFF)
        return;
    mysql_options(mysql, MYSQL_OPT_SSL_KEY, endpoint->tls_key);
    mysql_options(mysql, MYSQL_OPT_SSL_CERT, endpoint->tls_cert);
    mysql_options(mysql, MYSQL_OPT_SSL_CA, endpoint->tls_ca);
}
#endif
