#include "schema/connection_pg.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#define DEFAULT_CONNECT_TIMEOUT 10 /* seconds an address */
#define MAX_CONNECT_TIMEOUTS 8
#define MAX_APPLICATION_NAME 63

/* Text, plans and rights do not depend on the configuration of the user, role or database. Row
 * security off means an error instead of rows that are silently missing. Keepalives as on our side:
 * what a machine held that vanished, locks and claims, is free soon. */
static const char pinned_settings[] = "set datestyle = 'ISO, MDY';"
                                      "set intervalstyle = postgres;"
                                      "set timezone = 'UTC';"
                                      "set extra_float_digits = 3;"
                                      "set bytea_output = hex;"
                                      "set lc_monetary = 'C';"
                                      "set xmloption = content;"
                                      "set search_path = '';"
                                      "set quote_all_identifiers = off;"
                                      "set standard_conforming_strings = on;"
                                      "set array_nulls = on;"
                                      "set row_security = off;"
                                      "set jit = off;"
                                      "set client_min_messages = warning;"
                                      "set default_transaction_read_only = off;"
                                      "set default_transaction_deferrable = off;"
                                      "set default_transaction_isolation = 'read committed';"
                                      "set statement_timeout = 0;"
                                      "set lock_timeout = 0;"
                                      "set idle_in_transaction_session_timeout = 0;"
                                      "set tcp_keepalives_idle = 10;"
                                      "set tcp_keepalives_interval = 5;"
                                      "set tcp_keepalives_count = 3;";

typedef struct StateClass {
    const char *prefix; /* of the SQLSTATE */
    int code;           /* DroverErrorCode */
} StateClass;

/* The first prefix that matches decides; everything else needs a person. */
static const StateClass state_classes[] = {
    {"08", DROVER_ERROR_RETRY},    /* connection */
    {"53", DROVER_ERROR_RETRY},    /* disk, memory, too many connections */
    {"40", DROVER_ERROR_RETRY},    /* serialization, deadlock */
    {"57014", DROVER_ERROR_RETRY}, /* somebody cancelled the statement */
    {"57P01", DROVER_ERROR_RETRY}, /* the session was ended */
    {"57P02", DROVER_ERROR_RETRY}, /* another session crashed */
    {"57P03", DROVER_ERROR_RETRY}, /* starting up, shutting down */
    {"57P05", DROVER_ERROR_RETRY}, /* idle session timeout */
    {"25P03", DROVER_ERROR_RETRY}, /* idle in transaction timeout */
    {"25P04", DROVER_ERROR_RETRY}, /* transaction timeout */
    {"55P03", DROVER_ERROR_RETRY}, /* lock not available */
    {"55006", DROVER_ERROR_RETRY}, /* object in use: a slot, a database */
    {"58030", DROVER_ERROR_RETRY}, /* I/O */
    {"28", DROVER_ERROR_NO},       /* authentication */
    {"3D000", DROVER_ERROR_NO},    /* no such database */
    {"42501", DROVER_ERROR_NO},    /* privileges */
    {"25006", DROVER_ERROR_NO},    /* read-only: a standby */
    {"22", DROVER_ERROR_DATA},     /* a value */
    {"23", DROVER_ERROR_DATA},     /* a constraint */
    {"54000", DROVER_ERROR_DATA},  /* a value too large for an index */
};

static int class_of_state(const char *state, int otherwise)
{
    for (gsize i = 0; i < G_N_ELEMENTS(state_classes); i++)
        if (g_str_has_prefix(state, state_classes[i].prefix))
            return state_classes[i].code;
    return otherwise;
}

typedef struct Parameters {
    GPtrArray *keywords; /* char * */
    GPtrArray *values;   /* char * */
} Parameters;

static void parameters_clear(Parameters *parameters)
{
    g_clear_pointer(&parameters->keywords, g_ptr_array_unref);
    g_clear_pointer(&parameters->values, g_ptr_array_unref);
}

/* A keyword that is given twice keeps its last value. */
static void parameters_add(Parameters *parameters, const char *keyword, const char *value)
{
    if (value == NULL)
        return;
    g_ptr_array_add(parameters->keywords, g_strdup(keyword));
    g_ptr_array_add(parameters->values, g_strdup(value));
}

static bool parameters_add_url(Parameters *parameters, const Endpoint *endpoint, int *timeout,
                               GError **error)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(endpoint->url, &message);
    if (options == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_USAGE, "%s: the url is not valid: %s",
                    endpoint->side, message != NULL ? g_strstrip(message) : "out of memory");
        PQfreemem(message);
        return false;
    }
    for (PQconninfoOption *option = options; option->keyword != NULL; option++) {
        parameters_add(parameters, option->keyword, option->val);
        if (option->val != NULL && strcmp(option->keyword, "connect_timeout") == 0)
            *timeout = (int)CLAMP(g_ascii_strtoll(option->val, NULL, 10), 2, 600);
    }
    PQconninfoFree(options);
    return true;
}

/* The server cuts a longer name, but not where a character ends. */
static char *application_name(const char *label)
{
    g_autofree char *valid = g_utf8_make_valid(label, -1);
    gsize length = strlen(valid);
    while (length > MAX_APPLICATION_NAME)
        length = (gsize)(g_utf8_find_prev_char(valid, valid + length) - valid);
    return g_strndup(valid, length);
}

static bool parameters_fill(Parameters *parameters, const Endpoint *endpoint, const char *label,
                            PgKind kind, int *timeout, GError **error)
{
    parameters->keywords = g_ptr_array_new_with_free_func(g_free);
    parameters->values = g_ptr_array_new_with_free_func(g_free);
    if (!parameters_add_url(parameters, endpoint, timeout, error))
        return false;
    g_autofree char *name = application_name(label);
    const char *const own[][2] = {
        {"password", endpoint->password},
        {"sslmode", endpoint->tls_mode},
        {"sslrootcert", endpoint->tls_ca},
        {"sslcert", endpoint->tls_cert},
        {"sslkey", endpoint->tls_key},
        {"application_name", name},
        {"client_encoding", "UTF8"},
        {"keepalives", "1"},
        {"keepalives_idle", "10"},
        {"keepalives_interval", "5"},
        {"keepalives_count", "3"},
        {"tcp_user_timeout", "30000"},
        {"replication", kind == PG_REPLICATION ? "database" : NULL},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(own); i++)
        parameters_add(parameters, own[i][0], own[i][1]);
    g_ptr_array_add(parameters->keywords, NULL);
    g_ptr_array_add(parameters->values, NULL);
    return true;
}

/* Waits for the socket; false once the deadline (monotonic, microseconds) has passed. */
static bool wait_for_socket(PGconn *connection, PostgresPollingStatusType want, gint64 deadline)
{
    struct pollfd descriptor = {.fd = PQsocket(connection),
                                .events = want == PGRES_POLLING_READING ? POLLIN : POLLOUT};
    for (;;) {
        gint64 left = deadline - g_get_monotonic_time();
        if (left <= 0)
            return false;
        /* Errors of poll itself are found again, and told, by libpq. */
        if (poll(&descriptor, 1, (int)(left / 1000) + 1) != 0)
            return true;
    }
}

/* As PQconnectdb does it, with the time-out for each address. Our own loop because only so can the
 * verbosity be set before the server speaks: it puts the SQLSTATE into the message. */
static bool finish_connecting(PGconn *connection, int timeout)
{
    PostgresPollingStatusType want = PGRES_POLLING_WRITING;
    gint64 deadline = g_get_monotonic_time() + timeout * G_USEC_PER_SEC;
    int timeouts = 0, socket = -1;
    while (PQstatus(connection) != CONNECTION_BAD && want != PGRES_POLLING_OK &&
           want != PGRES_POLLING_FAILED) {
        if (PQsocket(connection) != socket) {
            socket = PQsocket(connection);
            deadline = g_get_monotonic_time() + timeout * G_USEC_PER_SEC;
        }
        if (!wait_for_socket(connection, want, deadline)) {
            if (++timeouts > MAX_CONNECT_TIMEOUTS)
                return false;
            /* libpq sees a failed address and goes on with the next one. */
            shutdown(socket, SHUT_RDWR);
            deadline = g_get_monotonic_time() + timeout * G_USEC_PER_SEC;
        }
        want = PQconnectPoll(connection);
    }
    return PQstatus(connection) == CONNECTION_OK;
}

/* libpq's messages may have several lines. */
static char *one_line(const char *message)
{
    g_auto(GStrv) lines = g_strsplit_set(message, "\n\t", -1);
    g_autoptr(GString) text = g_string_new(NULL);
    for (char **line = lines; *line != NULL; line++) {
        g_strstrip(*line);
        if ((*line)[0] != '\0')
            g_string_append_printf(text, "%s%s", text->len > 0 ? " " : "", *line);
    }
    return g_string_free(g_steal_pointer(&text), FALSE);
}

/* Takes the last ":  28P01: " out of a verbose message, and the LOCATION lines. */
static char *split_connect_message(const char *message, char state[6])
{
    g_autoptr(GRegex) pattern = g_regex_new(":  ([0-9A-Z]{5}): ", 0, 0, NULL);
    g_autoptr(GRegex) location = g_regex_new("\\n[^\\n ]+:  [^\\n]+\\.c:[0-9]+", 0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    state[0] = '\0';
    for (g_regex_match(pattern, message, 0, &match); g_match_info_matches(match);
         g_match_info_next(match, NULL)) {
        g_autofree char *found = g_match_info_fetch(match, 1);
        g_strlcpy(state, found, 6);
    }
    g_autofree char *without = g_regex_replace_literal(location, message, -1, 0, "", 0, NULL);
    g_autofree char *clean =
        without == NULL ? NULL : g_regex_replace_literal(pattern, without, -1, 0, ": ", 0, NULL);
    return one_line(clean != NULL ? clean : message);
}

/* Errors that libpq made itself have no SQLSTATE: the server was not reached, or was not trusted.
 */
static int class_of_connect(PGconn *connection, const char *state, const char *message)
{
    static const char *const refusals[] = {
        "certificate",    "does not support SSL", "SSL error",    "key file",        "password",
        "authentication", "invalid sslmode",      "invalid port", "channel binding", "GSS"};
    if (state[0] != '\0')
        return class_of_state(state, DROVER_ERROR_NO);
    if (PQconnectionNeedsPassword(connection))
        return DROVER_ERROR_NO;
    for (gsize i = 0; i < G_N_ELEMENTS(refusals); i++)
        if (strstr(message, refusals[i]) != NULL)
            return DROVER_ERROR_NO;
    return DROVER_ERROR_RETRY;
}

static void fail_connect(PGconn *connection, const Endpoint *endpoint, GError **error)
{
    char state[6];
    g_autofree char *message = split_connect_message(PQerrorMessage(connection), state);
    int code = class_of_connect(connection, state, message);
    if (message[0] == '\0')
        g_set_error(error, DROVER_ERROR, code, "%s: no answer to the attempt to connect",
                    endpoint->label);
    else
        g_set_error(error, DROVER_ERROR, code, "%s: %s", endpoint->label, message);
}

static void log_notice(void *user, const char *message)
{
    (void)user;
    g_autofree char *text = g_strchomp(g_strdup(message));
    g_info("%s", text);
}

static bool pin_settings(PGconn *connection, GError **error)
{
    g_autoptr(GString) sql = g_string_new(pinned_settings);
    if (PQserverVersion(connection) >= 140000)
        g_string_append(sql, "set idle_session_timeout = 0;");
    if (PQserverVersion(connection) >= 170000)
        g_string_append(sql, "set transaction_timeout = 0;");
    return pg_run(connection, sql->str, error);
}

PGconn *pg_connect(const Endpoint *endpoint, const char *label, PgKind kind, GError **error)
{
    Parameters parameters = {NULL, NULL};
    int timeout = DEFAULT_CONNECT_TIMEOUT;
    if (!parameters_fill(&parameters, endpoint, label, kind, &timeout, error)) {
        parameters_clear(&parameters);
        return NULL;
    }
    g_autoptr(PGconn) connection =
        PQconnectStartParams((const char *const *)parameters.keywords->pdata,
                             (const char *const *)parameters.values->pdata, 0);
    parameters_clear(&parameters);
    if (connection == NULL) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s: out of memory", endpoint->label);
        return NULL;
    }
    PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
    PQsetNoticeProcessor(connection, log_notice, NULL);
    if (!finish_connecting(connection, timeout)) {
        fail_connect(connection, endpoint, error);
        return NULL;
    }
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
    if (!pin_settings(connection, error)) {
        g_prefix_error(error, "%s: ", endpoint->label);
        return NULL;
    }
    return g_steal_pointer(&connection);
}

static void append_field(GString *text, const PGresult *result, int field, const char *before)
{
    const char *value = PQresultErrorField(result, field);
    if (value != NULL && value[0] != '\0')
        g_string_append_printf(text, "%s%s", before, value);
}

/* What a row's error is about, where the server tells. */
static void append_place(GString *text, const PGresult *result)
{
    append_field(text, result, PG_DIAG_SCHEMA_NAME, "; schema ");
    append_field(text, result, PG_DIAG_TABLE_NAME, "; table ");
    append_field(text, result, PG_DIAG_COLUMN_NAME, "; column ");
    append_field(text, result, PG_DIAG_CONSTRAINT_NAME, "; constraint ");
    append_field(text, result, PG_DIAG_CONTEXT, "; context: ");
}

static void fail_without_state(PGconn *connection, const PGresult *result, GError **error)
{
    bool lost = PQstatus(connection) == CONNECTION_BAD;
    const char *message = result != NULL ? PQresultErrorMessage(result) : "";
    g_autofree char *text = one_line(message[0] != '\0' ? message : PQerrorMessage(connection));
    int code = lost || result == NULL ? DROVER_ERROR_RETRY : DROVER_ERROR_PERSON;
    if (text[0] != '\0')
        g_set_error(error, DROVER_ERROR, code, "%s", text);
    else if (lost)
        g_set_error(error, DROVER_ERROR, code, "the connection to the server was lost");
    else
        g_set_error(error, DROVER_ERROR, code, "unexpected answer of the server: %s",
                    PQresStatus(PQresultStatus(result)));
}

bool pg_fail(PGconn *connection, const PGresult *result, GError **error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL) {
        fail_without_state(connection, result, error);
        return false;
    }
    g_autoptr(GString) text = g_string_new(NULL);
    append_field(text, result, PG_DIAG_MESSAGE_PRIMARY, "");
    append_field(text, result, PG_DIAG_MESSAGE_DETAIL, "; detail: ");
    append_field(text, result, PG_DIAG_MESSAGE_HINT, "; hint: ");
    int code = class_of_state(state, DROVER_ERROR_PERSON);
    if (code == DROVER_ERROR_DATA)
        append_place(text, result);
    g_string_append_printf(text, " (SQLSTATE %s)", state);
    g_set_error(error, DROVER_ERROR, code, "%s", text->str);
    return false;
}

static PGresult *checked(PGconn *connection, PGresult *result, GError **error)
{
    switch (PQresultStatus(result)) {
    case PGRES_TUPLES_OK:
    case PGRES_COMMAND_OK:
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
    case PGRES_COPY_BOTH:
        return result;
    default:
        pg_fail(connection, result, error);
        PQclear(result);
        return NULL;
    }
}

PGresult *pg_query(PGconn *connection, const char *sql, GError **error)
{
    return checked(connection, PQexec(connection, sql), error);
}

PGresult *pg_query_params(PGconn *connection, const char *sql, int n, const char *const *values,
                          GError **error)
{
    return checked(connection, PQexecParams(connection, sql, n, NULL, values, NULL, NULL, 0),
                   error);
}

bool pg_run(PGconn *connection, const char *sql, GError **error)
{
    g_autoptr(PGresult) result = pg_query(connection, sql, error);
    return result != NULL;
}

void pg_append_identifier(GString *sql, const char *name)
{
    g_string_append_c(sql, '"');
    for (const char *c = name; *c != '\0'; c++) {
        if (*c == '"')
            g_string_append_c(sql, '"');
        g_string_append_c(sql, *c);
    }
    g_string_append_c(sql, '"');
}

void pg_append_qualified(GString *sql, const char *schema, const char *name)
{
    pg_append_identifier(sql, schema);
    g_string_append_c(sql, '.');
    pg_append_identifier(sql, name);
}

bool pg_append_literal(PGconn *connection, GString *sql, const char *text, GError **error)
{
    if (text == NULL) {
        g_string_append(sql, "null");
        return true;
    }
    char *literal = PQescapeLiteral(connection, text, strlen(text));
    if (literal == NULL) {
        g_autofree char *message = one_line(PQerrorMessage(connection));
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA, "a text cannot be quoted: %s", message);
        return false;
    }
    g_string_append(sql, literal);
    PQfreemem(literal);
    return true;
}

/* A select's tag counts the rows that it returned, which is no change. */
static gint64 affected_rows(const PGresult *result)
{
    PGresult *unconst = (PGresult *)(gintptr)result;
    const char *rows = PQcmdTuples(unconst);
    const char *tag = PQcmdStatus(unconst);
    if (rows[0] == '\0' || g_str_has_prefix(tag, "SELECT") || g_str_has_prefix(tag, "FETCH"))
        return -1;
    return g_ascii_strtoll(rows, NULL, 10);
}

Answer *pg_answer(const PGresult *result)
{
    Answer *answer = g_new0(Answer, 1);
    answer->n_rows = (guint)PQntuples(result);
    answer->n_columns = (guint)PQnfields(result);
    answer->values = g_new0(char *, (gsize)answer->n_rows * answer->n_columns);
    answer->affected = affected_rows(result);
    for (guint i = 0; i < answer->n_rows; i++)
        for (guint j = 0; j < answer->n_columns; j++)
            if (!PQgetisnull(result, (int)i, (int)j))
                answer->values[i * answer->n_columns + j] =
                    g_strdup(PQgetvalue(result, (int)i, (int)j));
    return answer;
}

int pg_server_major(PGconn *connection)
{
    return PQserverVersion(connection) / 10000;
}
