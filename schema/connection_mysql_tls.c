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
