#include "deploy/config_endpoint.h"

#include "deploy/config_endpoint_engine.h"
#include "deploy/config_secret.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PASSWORD = 1024 };

const char config_endpoint_no_password[] =
    "a password does not belong in the URL: use password_file or password_env";
const char config_endpoint_no_database[] = "the URL names no database";

static const struct {
    const char *scheme;
    const char *engine; /* NULL: known, but not supported yet */
    EndpointRead read;
} schemes[] = {
    {"postgresql", "postgresql", config_endpoint_pg_read},
    {"postgres", "postgresql", config_endpoint_pg_read},
    {"mysql", "mysql", config_endpoint_mysql_read},
    {"mariadb", "mysql", config_endpoint_mysql_read},
    {"sqlserver", NULL, NULL},
    {"kafka", NULL, NULL},
    {"file", NULL, NULL},
    {"s3", NULL, NULL},
};

void config_endpoint_refuse(Problems *problems, const Setting *setting, const char *message)
{
    problems_add(problems, setting->value_line, setting->value_column, "%s: %s",
                 setting->option->path, message);
}

void endpoint_address_clear(EndpointAddress *address)
{
    g_clear_pointer(&address->host, g_free);
    g_clear_pointer(&address->port, g_free);
    g_clear_pointer(&address->database, g_free);
    g_clear_pointer(&address->service, g_free);
}

bool endpoint_address_equal(const EndpointAddress *a, const EndpointAddress *b)
{
    return g_strcmp0(a->engine, b->engine) == 0 && g_ascii_strcasecmp(a->host, b->host) == 0 &&
           strcmp(a->port, b->port) == 0 && g_strcmp0(a->database, b->database) == 0 &&
           g_strcmp0(a->service, b->service) == 0;
}

/* Its place in schemes; -1 and a problem where it cannot be used. */
static int find_scheme(const Setting *url, Problems *problems)
{
    const char *end = strstr(url->text, "://");
    g_autofree char *scheme =
        end != NULL ? g_strndup(url->text, (gsize)(end - url->text)) : g_strdup("");
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (strcmp(schemes[i].scheme, scheme) != 0)
            continue;
        if (schemes[i].engine != NULL)
            return (int)i;
        problems_add(problems, url->value_line, url->value_column,
                     "not supported yet: '%s://' for %s; supported: postgresql://, mysql://, "
                     "mariadb://",
                     scheme, url->option->path);
        return -1;
    }
    config_endpoint_refuse(problems, url,
                           "a URL such as postgresql://user@host:5432/database or "
                           "mysql://user@host:3306/database is needed");
    return -1;
}

static void read_url(const Setting *url, const Setting *tls, ConfigEnvironment environment,
                     Problems *problems, EndpointAddress *address)
{
    int scheme = find_scheme(url, problems);
    if (scheme < 0)
        return;
    address->engine = schemes[scheme].engine;
    schemes[scheme].read(url, tls, environment, problems, address);
}

static char *make_label(const char *side, const EndpointAddress *address)
{
    if (address->service != NULL)
        return g_strdup_printf("%s service %s", side, address->service);
    bool is_ipv6 = strchr(address->host, ':') != NULL && address->host[0] != '[';
    return g_strdup_printf(is_ipv6 ? "%s [%s]:%s/%s" : "%s %s:%s/%s", side, address->host,
                           address->port, address->database);
}

static char *read_password_file(const Setting *file, Problems *problems)
{
    char bytes[LONGEST_PASSWORD + 3];
    gsize length = 0;
    if (!config_secret_read(file, bytes, sizeof bytes, &length, problems))
        return NULL;
    if (length > 0 && bytes[length - 1] == '\n')
        length--;
    if (length > 0 && bytes[length - 1] == '\r')
        length--;
    char *password = NULL;
    if (length == 0)
        config_endpoint_refuse(problems, file, "the file holds no password");
    else if (length > LONGEST_PASSWORD || memchr(bytes, '\0', length) != NULL)
        config_endpoint_refuse(problems, file,
                               "the file holds no password: longer than 1 KiB, or binary");
    else
        password = g_strndup(bytes, length);
    explicit_bzero(bytes, sizeof bytes);
    return password;
}

static char *read_password_environment(const Setting *name, ConfigEnvironment environment,
                                       Problems *problems)
{
    if (!config_is_variable(name->text, strlen(name->text))) {
        config_endpoint_refuse(problems, name, "the name of an environment variable is needed");
        return NULL;
    }
    const char *value = environment(name->text);
    if (value == NULL || *value == '\0') {
        problems_add(problems, name->value_line, name->value_column,
                     "%s: the environment variable %s is %s", name->option->path, name->text,
                     value == NULL ? "not set" : "empty");
        return NULL;
    }
    return g_strdup(value);
}

static char *read_password(const Setting *side, ConfigEnvironment environment, Problems *problems)
{
    const Setting *file = setting_child(side, "password_file");
    const Setting *variable = setting_child(side, "password_env");
    if (file != NULL && variable != NULL) {
        const Setting *second = file->line > variable->line || (file->line == variable->line &&
                                                                file->column > variable->column)
                                    ? file
                                    : variable;
        const Setting *first = second == file ? variable : file;
        problems_add(problems, second->line, second->column,
                     "contradiction: %s and %s (line %u); name one of them", second->option->path,
                     first->option->path, first->line);
        return NULL;
    }
    if (file != NULL && !file->bad)
        return read_password_file(file, problems);
    if (variable != NULL && !variable->bad)
        return read_password_environment(variable, environment, problems);
    return NULL;
}

static void check_tls_files(const Setting *tls, Problems *problems)
{
    static const char *const names[] = {"ca", "cert", "key"};
    const char *mode = setting_text(tls, "mode");
    for (gsize i = 0; i < G_N_ELEMENTS(names); i++) {
        const Setting *file = setting_good(tls, names[i]);
        if (file == NULL)
            continue;
        if (g_strcmp0(mode, "disable") == 0)
            problems_add(problems, file->line, file->column,
                         "contradiction: %s, while mode is disable", file->option->path);
        else if (access(file->text, R_OK) < 0)
            problems_add(problems, file->value_line, file->value_column, "%s: cannot read '%s': %s",
                         file->option->path, file->text, g_strerror(errno));
    }
    const Setting *cert = setting_child(tls, "cert"), *key = setting_child(tls, "key");
    if ((cert == NULL) != (key == NULL))
        problems_add(problems, (cert != NULL ? cert : key)->line,
                     (cert != NULL ? cert : key)->column, "%s needs %s beside it",
                     cert != NULL ? cert->option->path : key->option->path,
                     cert != NULL ? "key" : "cert");
}

Endpoint *config_endpoint_read(const Setting *setting, ConfigEnvironment environment,
                               Problems *problems, EndpointAddress *address)
{
    guint before = problems_count(problems);
    const Setting *url = setting_good(setting, "url");
    const Setting *tls = setting_good(setting, "tls");
    g_autofree char *password = read_password(setting, environment, problems);
    if (tls != NULL)
        check_tls_files(tls, problems);
    if (url != NULL)
        read_url(url, tls, environment, problems, address);
    if (url == NULL || problems_count(problems) > before) {
        endpoint_address_clear(address);
        return NULL;
    }
    Endpoint *endpoint = g_new0(Endpoint, 1);
    endpoint->side = g_strdup(setting->option->path);
    endpoint->engine = g_strdup(address->engine);
    endpoint->url = g_strdup(url->text);
    endpoint->password = g_steal_pointer(&password);
    endpoint->tls_mode = g_strdup(setting_text(tls, "mode"));
    endpoint->tls_ca = g_strdup(setting_text(tls, "ca"));
    endpoint->tls_cert = g_strdup(setting_text(tls, "cert"));
    endpoint->tls_key = g_strdup(setting_text(tls, "key"));
    endpoint->label = make_label(endpoint->side, address);
    return endpoint;
}
