/*
 * PostgreSQL's URLs: whatever libpq understands, but for passwords.
 */
#include "deploy/config_endpoint_engine.h"

#include <libpq-fe.h>
#include <string.h>

/* Parameters of a URL that say the same as a key of tls. */
static const struct {
    const char *parameter, *key;
} tls_parameters[] = {
    {"sslmode", "mode"}, {"sslrootcert", "ca"}, {"sslcert", "cert"}, {"sslkey", "key"}};

static const char *parameter(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && *options->val != '\0' ? options->val : NULL;
    return NULL;
}

/* libpq's own words on a bad URL repeat parts of it, which may be a password. */
static bool check_url(const Setting *url, const PQconninfoOption *options, Problems *problems)
{
    const char *message = NULL;
    if (options == NULL)
        message = "not a URL that libpq understands: postgresql://user@host:port/database?parameter"
                  "=value, special characters as %XX, and never a password";
    else if (parameter(options, "password") != NULL || parameter(options, "sslpassword") != NULL)
        message = config_endpoint_no_password;
    else if (parameter(options, "dbname") == NULL && parameter(options, "service") == NULL)
        message = config_endpoint_no_database;
    if (message != NULL)
        config_endpoint_refuse(problems, url, message);
    return message == NULL;
}

static const char *first_of(const char *a, const char *b, const char *c)
{
    if (a != NULL)
        return a;
    return b != NULL && *b != '\0' ? b : c;
}

static void read_address(const PQconninfoOption *options, ConfigEnvironment environment,
                         EndpointAddress *address)
{
    const char *host =
        first_of(parameter(options, "host"), parameter(options, "hostaddr"), environment("PGHOST"));
    address->host = g_strdup(first_of(host, NULL, "[local]"));
    address->port = g_strdup(first_of(parameter(options, "port"), environment("PGPORT"), "5432"));
    address->database = g_strdup(parameter(options, "dbname"));
    address->service = g_strdup(parameter(options, "service"));
}

static void check_tls(const Setting *tls, const PQconninfoOption *options, Problems *problems)
{
    for (gsize i = 0; i < G_N_ELEMENTS(tls_parameters); i++) {
        const Setting *key = setting_child(tls, tls_parameters[i].key);
        if (key != NULL && parameter(options, tls_parameters[i].parameter) != NULL)
            problems_add(problems, key->line, key->column,
                         "contradiction: %s, and %s in the URL; name one of them",
                         key->option->path, tls_parameters[i].parameter);
    }
}

void config_endpoint_pg_read(const Setting *url, const Setting *tls, ConfigEnvironment environment,
                             Problems *problems, EndpointAddress *address)
{
    PQconninfoOption *options = PQconninfoParse(url->text, NULL);
    if (check_url(url, options, problems)) {
        if (tls != NULL)
            check_tls(tls, options, problems);
        read_address(options, environment, address);
    }
    PQconninfoFree(options);
}
