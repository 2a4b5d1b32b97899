#include "deploy/config_endpoint.h"

#include "deploy/config_secret.h"

#include <errno.h>
#include <libpq-fe.h>
#include <string.h>
#include <unistd.h>

enum { LONGEST_PASSWORD = 1024 };

static const struct {
    const char *scheme;
    bool supported;
} schemes[] = {
    {"postgresql", true}, {"postgres", true}, {"mysql", false}, {"mariadb", false},
    {"sqlserver", false}, {"kafka", false},   {"file", false},  {"s3", false},
};

/* Parameters of a URL that say the same as a key of tls. */
static const struct {
    const char *parameter, *key;
} tls_parameters[] = {
    {"sslmode", "mode"}, {"sslrootcert", "ca"}, {"sslcert", "cert"}, {"sslkey", "key"}};

static void add(Problems *problems, const Setting *setting, const char *message)
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
    return g_ascii_strcasecmp(a->host, b->host) == 0 && strcmp(a->port, b->port) == 0 &&
           g_strcmp0(a->database, b->database) == 0 && g_strcmp0(a->service, b->service) == 0;
}

static const char *parameter(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0)
            return options->val != NULL && *options->val != '\0' ? options->val : NULL;
    return NULL;
}

static bool check_scheme(const Setting *url, Problems *problems)
{
    const char *end = strstr(url->text, "://");
    g_autofree char *scheme =
        end != NULL ? g_strndup(url->text, (gsize)(end - url->text)) : g_strdup("");
    for (gsize i = 0; i < G_N_ELEMENTS(schemes); i++) {
        if (strcmp(schemes[i].scheme, scheme) != 0)
            continue;
        if (!schemes[i].supported)
            problems_add(problems, url->value_line, url->value_column,
                         "not supported yet: '%s://' for %s; supported: postgresql://", scheme,
                         url->option->path);
        return schemes[i].supported;
    }
    add(problems, url, "a URL such as postgresql://user@host:5432/database is needed");
    return false;
}

/* libpq's own words on a bad URL repeat parts of it, which may be a password. */
static PQconninfoOption *parse_url(const Setting *url, Problems *problems)
{
    if (!check_scheme(url, problems))
        return NULL;
    PQconninfoOption *options = PQconninfoParse(url->text, NULL);
    if (options == NULL) {
        add(problems, url,
            "not a URL that libpq understands: postgresql://user@host:port/database?parameter="
            "value, special characters as %XX, and never a password");
        return NULL;
    }
    if (parameter(options, "password") != NULL || parameter(options, "sslpassword") != NULL) {
        add(problems, url,
            "a password does not belong in the URL: use password_file or password_env");
        PQconninfoFree(options);
        return NULL;
    }
    if (parameter(options, "dbname") == NULL && parameter(options, "service") == NULL) {
        add(problems, url, "the URL names no database");
        PQconninfoFree(options);
        return NULL;
    }
    return options;
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
        add(problems, file, "the file holds no password");
    else if (length > LONGEST_PASSWORD || memchr(bytes, '\0', length) != NULL)
        add(problems, file, "the file holds no password: longer than 1 KiB, or binary");
    else
        password = g_strndup(bytes, length);
    explicit_bzero(bytes, sizeof bytes);
    return password;
}

static char *read_password_environment(const Setting *name, ConfigEnvironment environment,
                                       Problems *problems)
{
    if (!config_is_variable(name->text, strlen(name->text))) {
        add(problems, name, "the name of an environment variable is needed");
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

static void check_tls(const Setting *tls, const PQconninfoOption *options, Problems *problems)
{
    check_tls_files(tls, problems);
    for (gsize i = 0; i < G_N_ELEMENTS(tls_parameters); i++) {
        const Setting *key = setting_child(tls, tls_parameters[i].key);
        if (key != NULL && options != NULL &&
            parameter(options, tls_parameters[i].parameter) != NULL)
            problems_add(problems, key->line, key->column,
                         "contradiction: %s, and %s in the URL; name one of them",
                         key->option->path, tls_parameters[i].parameter);
    }
}

Endpoint *config_endpoint_read(const Setting *setting, ConfigEnvironment environment,
                               Problems *problems, EndpointAddress *address)
{
    guint before = problems_count(problems);
    const Setting *url = setting_good(setting, "url");
    const Setting *tls = setting_good(setting, "tls");
    PQconninfoOption *options = url != NULL ? parse_url(url, problems) : NULL;
    g_autofree char *password = read_password(setting, environment, problems);
    if (tls != NULL)
        check_tls(tls, options, problems);
    if (options == NULL || problems_count(problems) > before) {
        PQconninfoFree(options);
        return NULL;
    }
    read_address(options, environment, address);
    PQconninfoFree(options);
    Endpoint *endpoint = g_new0(Endpoint, 1);
    endpoint->side = g_strdup(setting->option->path);
    endpoint->engine = g_strdup("postgresql");
    endpoint->url = g_strdup(url->text);
    endpoint->password = g_steal_pointer(&password);
    endpoint->tls_mode = g_strdup(setting_text(tls, "mode"));
    endpoint->tls_ca = g_strdup(setting_text(tls, "ca"));
    endpoint->tls_cert = g_strdup(setting_text(tls, "cert"));
    endpoint->tls_key = g_strdup(setting_text(tls, "key"));
    endpoint->label = make_label(endpoint->side, address);
    return endpoint;
}
