#include "schema/connection_mysql.h"

#include "schema/connection_mysql_tls.h"
#include "schema/mysql/client.h"

#include <errmsg.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_PORT 3306
#define CONNECT_TIMEOUT 10
#define LARGEST_PACKET (1UL << 30) /* what servers allow at most */

/* The character set and collation are told again: an old server may not know the number of the
 * collation that the client library greets with, and each library greets with another.
 * The comments are executed by MariaDB alone, and by MySQL alone. Backslashes keep their meaning in
 * texts (no NO_BACKSLASH_ESCAPES): MySQL writes its expressions with them, of generated columns,
 * defaults and checks, and reads them again by the rules of whichever session opens the table. */
#define PINNED_SETTINGS                                                                            \
    "SET SESSION character_set_client=utf8mb4, collation_connection=utf8mb4_general_ci, "          \
    "time_zone='+00:00', wait_timeout=86400, net_read_timeout=3600, "                              \
    "net_write_timeout=86400, autocommit=1, completion_type=0, "                                   \
    "/*M!100600 max_statement_time=0, idle_transaction_timeout=0, "                                \
    "idle_write_transaction_timeout=0, idle_readonly_transaction_timeout=0, */"                    \
    "/*!80000 max_execution_time=0, */"                                                            \
    "character_set_results=NULL, sql_mode='"

static const char pinned_settings[] = PINNED_SETTINGS "'";

/* Strict, but dates with zero parts are values that a source may have, as is an automatic number
 * of zero. */
static const char writer_settings[] =
    PINNED_SETTINGS "STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'";

static const struct {
    unsigned int number;
    DroverErrorCode code;
    const char *remedy;
} number_classes[] = {
    {1022, DROVER_ERROR_DATA, ""}, /* duplicate key */
    {1044, DROVER_ERROR_NO, ""},   /* no access to the database */
    {1045, DROVER_ERROR_NO, ""},   /* no access */
    {1048, DROVER_ERROR_DATA, ""}, /* null where none may be */
    {1049, DROVER_ERROR_NO, ""},   /* no such database */
    {1054, DROVER_ERROR_NO, ""},   /* no such column */
    {1062, DROVER_ERROR_DATA, ""}, /* duplicate key */
    {1064, DROVER_ERROR_BUG, ""},  /* syntax */
    {1095, DROVER_ERROR_NO, ""},   /* not the owner of the thread */
    {1130, DROVER_ERROR_NO, ""},   /* host not allowed */
    {1142, DROVER_ERROR_NO, ""},   /* no right to the table */
    {1143, DROVER_ERROR_NO, ""},   /* no right to the column */
    {1146, DROVER_ERROR_NO, ""},   /* no such table */
    {1153, DROVER_ERROR_DATA, "; raise the server's max_allowed_packet"},
    {1169, DROVER_ERROR_DATA, ""}, /* duplicate value */
    {1216, DROVER_ERROR_DATA, ""}, /* foreign keys */
    {1217, DROVER_ERROR_DATA, ""},
    {1227, DROVER_ERROR_NO, ""},   /* privilege missing */
    {1251, DROVER_ERROR_NO, ""},   /* authentication not understood */
    {1264, DROVER_ERROR_DATA, ""}, /* out of range */
    {1265, DROVER_ERROR_DATA, ""}, /* truncated */
    {1290, DROVER_ERROR_NO, ""},   /* the server is read-only */
    {1292, DROVER_ERROR_DATA, ""}, /* not a date, a number */
    {1300, DROVER_ERROR_DATA, ""}, /* not of the character set */
    {1364, DROVER_ERROR_DATA, ""}, /* no default */
    {1365, DROVER_ERROR_DATA, ""}, /* division by zero */
    {1366, DROVER_ERROR_DATA, ""}, /* not of the type or character set */
    {1367, DROVER_ERROR_DATA, ""}, /* not a number */
    {1406, DROVER_ERROR_DATA, ""}, /* too long */
    {1411, DROVER_ERROR_DATA, ""}, /* not of the type */
    {1416, DROVER_ERROR_DATA, ""}, /* not a geometry */
    {1441, DROVER_ERROR_DATA, ""}, /* date out of range */
    {1451, DROVER_ERROR_DATA, ""}, /* foreign keys */
    {1452, DROVER_ERROR_DATA, ""},
    {1526, DROVER_ERROR_DATA, ""}, /* no partition for the value */
    {1586, DROVER_ERROR_DATA, ""}, /* duplicate key */
    {1665, DROVER_ERROR_NO, "; set the target's binlog_format to ROW"},
    {1690, DROVER_ERROR_DATA, ""}, /* out of range */
    {1698, DROVER_ERROR_NO, ""},   /* no access without password */
    {1792, DROVER_ERROR_NO, ""},   /* the transaction is read-only */
    {1820, DROVER_ERROR_NO, ""},   /* password must be changed */
    {1836, DROVER_ERROR_NO, ""},   /* the server is read-only */
    {1862, DROVER_ERROR_NO, ""},   /* password expired */
    {2020, DROVER_ERROR_DATA, ""}, /* larger than the protocol's packets */
    {2058, DROVER_ERROR_NO, ""},   /* authentication plug-in cannot be loaded */
    {2059, DROVER_ERROR_NO, ""},
    {3037, DROVER_ERROR_DATA, ""}, /* not a geometry */
    {3140, DROVER_ERROR_DATA, ""}, /* not JSON */
    {3157, DROVER_ERROR_DATA, ""}, /* JSON too deep */
    {3616, DROVER_ERROR_DATA, ""}, /* longitude, latitude */
    {3617, DROVER_ERROR_DATA, ""},
    {3643, DROVER_ERROR_DATA, ""}, /* another SRID */
    {3819, DROVER_ERROR_DATA, ""}, /* check constraint */
    {3903, DROVER_ERROR_DATA, ""}, /* value of an index over an expression */
    {4025, DROVER_ERROR_DATA, ""}, /* check constraint, MariaDB */
    {6138, DROVER_ERROR_DATA, ""}, /* not a vector */
    {2061, DROVER_ERROR_NO, "; the account's password can only be checked over TLS: set tls.mode"},
};

bool mysql_session_fail_with(unsigned int number, const char *message, GError **error)
{
    DroverErrorCode code = DROVER_ERROR_RETRY;
    const char *remedy = "";
    for (gsize i = 0; i < G_N_ELEMENTS(number_classes); i++)
        if (number_classes[i].number == number) {
            code = number_classes[i].code;
            remedy = number_classes[i].remedy;
        }
    g_autofree char *valid = g_utf8_make_valid(message, -1);
    g_set_error(error, DROVER_ERROR, (int)code, "%s (error %u)%s", valid, number, remedy);
    return false;
}

bool mysql_session_fail(MYSQL *mysql, GError **error)
{
    return mysql_session_fail_with(mysql_errno(mysql), mysql_error(mysql), error);
}

typedef struct Address {
    GUri *uri;
    const char *host;
    unsigned int port;
    char *database;
    unsigned int connect_timeout;
} Address;

static void address_clear(Address *address)
{
    g_clear_pointer(&address->uri, g_uri_unref);
    g_free(address->database);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Address, address_clear)

static bool read_parameters(Address *address, const Endpoint *endpoint, GError **error)
{
    const char *query = g_uri_get_query(address->uri);
    if (!query)
        return true;
    g_autoptr(GHashTable) parameters = g_uri_parse_params(query, -1, "&", G_URI_PARAMS_NONE, NULL);
    GHashTableIter iter;
    gpointer key, value;
    if (!parameters) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "%s: the parameters of the url are not valid", endpoint->side);
        return false;
    }
    g_hash_table_iter_init(&iter, parameters);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        if (strcmp(key, "connect_timeout") != 0) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                        "%s: the url has the unknown parameter \"%s\"; there is connect_timeout",
                        endpoint->side, (const char *)key);
            return false;
        }
        address->connect_timeout = (unsigned int)CLAMP(g_ascii_strtoll(value, NULL, 10), 2, 600);
    }
    return true;
}

static bool read_address(Address *address, const Endpoint *endpoint, GError **error)
{
    g_autoptr(GError) wrong = NULL;
    address->connect_timeout = CONNECT_TIMEOUT;
    address->uri = g_uri_parse(endpoint->url, G_URI_FLAGS_HAS_PASSWORD, &wrong);
    if (!address->uri || !g_uri_get_host(address->uri) || !g_uri_get_host(address->uri)[0] ||
        (strcmp(g_uri_get_scheme(address->uri), "mysql") != 0 &&
         strcmp(g_uri_get_scheme(address->uri), "mariadb") != 0)) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE,
                    "%s: the url is not valid%s%s; write mysql://user@host:3306/database",
                    endpoint->side, wrong ? ": " : "", wrong ? wrong->message : "");
        return false;
    }
    const char *path = g_uri_get_path(address->uri);
    address->host = g_uri_get_host(address->uri);
    address->port = g_uri_get_port(address->uri) > 0 ? (unsigned int)g_uri_get_port(address->uri)
                                                     : DEFAULT_PORT;
    address->database = g_strdup(path[0] == '/' && path[1] ? path + 1 : NULL);
    return read_parameters(address, endpoint, error);
}

/* A server may ask for a file of ours in answer to any statement: it gets none. */
static int refuse_file(void **file, const char *name, void *user)
{
    (void)name;
    (void)user;
    *file = NULL;
    return 1;
}

static int read_no_file(void *file, char *buffer, unsigned int size)
{
    (void)file;
    (void)buffer;
    (void)size;
    return -1;
}

static void end_no_file(void *file)
{
    (void)file;
}

static int tell_no_file(void *file, char *message, unsigned int size)
{
    (void)file;
    g_strlcpy(message, "no file is given to the server", size);
    return 2;
}

void mysql_session_give_nothing(MYSQL *mysql)
{
    mysql_set_local_infile_handler(mysql, refuse_file, read_no_file, end_no_file, tell_no_file,
                                   NULL);
}

typedef struct Kind {
    const char *settings;
    unsigned int local_infile;
    unsigned long flags;
} Kind;

static const Kind reader = {pinned_settings, 0, 0};
static const Kind writer = {writer_settings, 1, CLIENT_FOUND_ROWS | CLIENT_MULTI_STATEMENTS};

/* A machine that is gone is noticed while its server has something to do for us, too: the library
 * sets only that probes are sent, after hours. */
static void watch_server(MYSQL *mysql)
{
    static const struct {
        int level, option, value;
    } settings[] = {{SOL_SOCKET, SO_KEEPALIVE, 1},
                    {IPPROTO_TCP, TCP_KEEPIDLE, 10},
                    {IPPROTO_TCP, TCP_KEEPINTVL, 5},
                    {IPPROTO_TCP, TCP_KEEPCNT, 3},
                    {IPPROTO_TCP, TCP_USER_TIMEOUT, 30000}};
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
        if (setsockopt((int)mysql->net.fd, settings[i].level, settings[i].option,
                       &settings[i].value, sizeof settings[i].value) != 0)
            g_debug("setsockopt: %s", g_strerror(errno));
}

/* One library goes on without TLS where the server has none, unless the host is verified. */
static bool is_as_wanted(MYSQL *mysql, bool encrypted_only, GError **error)
{
    if (!encrypted_only || mysql_get_ssl_cipher(mysql))
        return true;
    return mysql_session_fail_with(CR_SSL_CONNECTION_ERROR,
                                   "TLS is asked for, but the server does not offer it", error);
}

static bool prepare(MYSQL *mysql, const Kind *kind, GError **error)
{
    if (mysql_query(mysql, kind->settings) != 0)
        return mysql_session_fail(mysql, error);
    watch_server(mysql);
    return true;
}

static MYSQL *connect_once(const Endpoint *endpoint, const Address *address, const char *label,
                           guint read_timeout_s, const Kind *kind, MysqlTlsTry tls,
                           bool encrypted_only, GError **error)
{
    MYSQL *mysql = mysql_client_new();
    unsigned long largest = LARGEST_PACKET;
    unsigned int protocol = MYSQL_PROTOCOL_TCP; /* "localhost" would be a socket otherwise */
    const char *password =
        endpoint->password ? endpoint->password : g_uri_get_password(address->uri);
    mysql_options(mysql, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_options(mysql, MYSQL_OPT_CONNECT_TIMEOUT, &address->connect_timeout);
    mysql_options(mysql, MYSQL_OPT_READ_TIMEOUT, &read_timeout_s);
    mysql_options(mysql, MYSQL_OPT_MAX_ALLOWED_PACKET, &largest);
    mysql_options(mysql, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_options4(mysql, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", label);
    mysql_options(mysql, MYSQL_OPT_LOCAL_INFILE, &kind->local_infile);
    mysql_session_give_nothing(mysql);
    mysql_client_set_tls(mysql, endpoint, tls);
    if (!mysql_real_connect(mysql, address->host, g_uri_get_user(address->uri), password,
                            address->database, address->port, NULL, kind->flags))
        mysql_session_fail(mysql, error);
    else if (is_as_wanted(mysql, encrypted_only, error) && prepare(mysql, kind, error))
        return mysql;
    mysql_close(mysql);
    return NULL;
}

static MYSQL *open_session(const Endpoint *endpoint, const char *label, guint read_timeout_s,
                           const Kind *kind, GError **error)
{
    g_auto(Address) address = {0};
    MysqlTlsTry tries[2];
    MYSQL *mysql = NULL;
    if (!read_address(&address, endpoint, error))
        return NULL;
    guint n = mysql_session_tls_tries(endpoint, tries, error);
    for (guint i = 0; i < n && !mysql; i++) {
        g_autoptr(GError) refused = NULL;
        bool encrypted_only = i + 1 == n && tries[i] != MYSQL_TLS_OFF;
        mysql = connect_once(endpoint, &address, label, read_timeout_s, kind, tries[i],
                             encrypted_only, &refused);
        if (!mysql && (i + 1 == n || refused->code == DROVER_ERROR_NO)) {
            g_propagate_prefixed_error(error, g_steal_pointer(&refused), "%s: ", endpoint->label);
            return NULL;
        }
    }
    return mysql;
}

MYSQL *mysql_session_open(const Endpoint *endpoint, const char *label, guint read_timeout_s,
                          GError **error)
{
    return open_session(endpoint, label, read_timeout_s, &reader, error);
}

MYSQL *mysql_session_open_writer(const Endpoint *endpoint, const char *label, guint read_timeout_s,
                                 GError **error)
{
    return open_session(endpoint, label, read_timeout_s, &writer, error);
}

bool mysql_session_run(MYSQL *mysql, const char *sql, GError **error)
{
    if (mysql_query(mysql, sql) != 0)
        return mysql_session_fail(mysql, error);
    MYSQL_RES *answer = mysql_store_result(mysql);
    if (!answer && mysql_errno(mysql) != 0)
        return mysql_session_fail(mysql, error);
    if (answer)
        mysql_free_result(answer);
    return true;
}

MYSQL_RES *mysql_session_query(MYSQL *mysql, const char *sql, GError **error)
{
    MYSQL_RES *answer = mysql_query(mysql, sql) == 0 ? mysql_store_result(mysql) : NULL;
    if (!answer)
        mysql_session_fail(mysql, error);
    return answer;
}

char *mysql_session_ask(MYSQL *mysql, const char *sql, GError **error)
{
    g_autoptr(MYSQL_RES) answer = mysql_session_query(mysql, sql, error);
    if (!answer)
        return NULL;
    MYSQL_ROW row = mysql_fetch_row(answer);
    return row ? g_strdup(row[0]) : NULL;
}

bool mysql_session_is_mariadb(MYSQL *mysql)
{
    return strstr(mysql_get_server_info(mysql), "MariaDB") != NULL;
}

void mysql_session_append_identifier(GString *sql, const char *name)
{
    g_string_append_c(sql, '`');
    for (; *name; name++) {
        if (*name == '`')
            g_string_append_c(sql, '`');
        g_string_append_c(sql, *name);
    }
    g_string_append_c(sql, '`');
}

void mysql_session_append_qualified(GString *sql, const char *database, const char *name)
{
    mysql_session_append_identifier(sql, database);
    g_string_append_c(sql, '.');
    mysql_session_append_identifier(sql, name);
}

/* The length of what needs no second character. */
static gsize plain_size(const char *text, gsize size)
{
    gsize plain = 0;
    while (plain < size && text[plain] != '\'' && text[plain] != '\\')
        plain++;
    return plain;
}

void mysql_session_append_bytes(GString *sql, const char *text, gsize size)
{
    g_string_append_c(sql, '\'');
    for (;;) {
        gsize plain = plain_size(text, size);
        g_string_append_len(sql, text, (gssize)plain);
        if (plain == size)
            break;
        g_string_append_c(sql, text[plain]);
        g_string_append_c(sql, text[plain]);
        text += plain + 1;
        size -= plain + 1;
    }
    g_string_append_c(sql, '\'');
}

void mysql_session_append_literal(GString *sql, const char *text)
{
    mysql_session_append_bytes(sql, text, strlen(text));
}
