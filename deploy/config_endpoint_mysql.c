/*
 * URLs of MySQL and MariaDB: mysql://user@host:3306/database?connect_timeout=10
 */
#include "deploy/config_endpoint_engine.h"

#include <string.h>

static const char default_port[] = "3306";

/* What other programs write into such URLs, and where it stands here. */
static const struct {
    const char *parameter, *message;
} elsewhere[] = {
    {"password", config_endpoint_no_password},
    {"socket", "sockets are not supported: name a host"},
    {"unix_socket", "sockets are not supported: name a host"},
    {"ssl-mode", "how the connection is encrypted does not belong in the URL: use tls"},
    {"ssl", "how the connection is encrypted does not belong in the URL: use tls"},
    {"charset", "the character set is drover's own affair (utf8mb4): take it out of the URL"},
};

static bool is_seconds(const char *text)
{
    guint64 seconds;
    return g_ascii_string_to_unsigned(text, 10, 2, 600, &seconds, NULL);
}

static void check_parameter(const Setting *url, const char *name, const char *value,
                            Problems *problems)
{
    for (gsize i = 0; i < G_N_ELEMENTS(elsewhere); i++)
        if (strcmp(elsewhere[i].parameter, name) == 0) {
            config_endpoint_refuse(problems, url, elsewhere[i].message);
            return;
        }
    if (strcmp(name, "connect_timeout") != 0) {
        g_autofree char *quoted = problems_quote(name);
        problems_add(problems, url->value_line, url->value_column,
                     "%s: the URL has the unknown parameter '%s'; known: connect_timeout",
                     url->option->path, quoted);
    } else if (!is_seconds(value)) {
        config_endpoint_refuse(problems, url, "connect_timeout is a number of seconds, 2 to 600");
    }
}

static bool check_parameters(const Setting *url, GUri *uri, Problems *problems)
{
    const char *query = g_uri_get_query(uri);
    guint before = problems_count(problems);
    GUriParamsIter iter;
    char *name, *value;
    g_autoptr(GError) wrong = NULL;
    if (query == NULL)
        return true;
    g_uri_params_iter_init(&iter, query, -1, "&", G_URI_PARAMS_NONE);
    while (g_uri_params_iter_next(&iter, &name, &value, &wrong)) {
        check_parameter(url, name, value, problems);
        g_free(name);
        g_free(value);
    }
    if (wrong != NULL)
        config_endpoint_refuse(problems, url,
                               "the URL's parameters are not of the form parameter=value");
    return problems_count(problems) == before;
}

static const char *fault_of(GUri *uri)
{
    if (uri == NULL)
        return "not a URL: mysql://user@host:3306/database?connect_timeout=10, special characters "
               "as %XX, and never a password";
    const char *password = g_uri_get_password(uri);
    const char *host = g_uri_get_host(uri);
    const char *path = g_uri_get_path(uri);
    if (password != NULL && *password != '\0')
        return config_endpoint_no_password;
    if (host == NULL || *host == '\0' || *host == '/')
        return "the URL names no host, and sockets are not supported";
    if (path[0] != '/' || path[1] == '\0')
        return config_endpoint_no_database;
    if (g_uri_get_fragment(uri) != NULL || strchr(path + 1, '/') != NULL)
        return "something stands behind the database's name";
    return NULL;
}

/* The client library looks for no file of its own, so that all must be said here. */
static void check_tls(const Setting *tls, Problems *problems)
{
    const Setting *mode = setting_good(tls, "mode");
    if (mode != NULL && g_str_has_prefix(mode->text, "verify-") && setting_child(tls, "ca") == NULL)
        problems_add(problems, mode->line, mode->column, "%s %s needs ca beside it",
                     mode->option->path, mode->text);
}

void config_endpoint_mysql_read(const Setting *url, const Setting *tls,
                                ConfigEnvironment environment, Problems *problems,
                                EndpointAddress *address)
{
    (void)environment;
    g_autoptr(GUri) uri = g_uri_parse(url->text, G_URI_FLAGS_HAS_PASSWORD, NULL);
    const char *fault = fault_of(uri);
    if (fault != NULL)
        config_endpoint_refuse(problems, url, fault);
    if (tls != NULL)
        check_tls(tls, problems);
    if (fault != NULL || !check_parameters(url, uri, problems))
        return;
    int port = g_uri_get_port(uri);
    address->host = g_strdup(g_uri_get_host(uri));
    address->port = port > 0 ? g_strdup_printf("%d", port) : g_strdup(default_port);
    address->database = g_strdup(g_uri_get_path(uri) + 1);
}
