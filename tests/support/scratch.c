#include "tests/support/scratch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static PGconn *reach(const char *url)
{
    PGconn *connection = PQconnectdb(url);
    if (PQstatus(connection) != CONNECTION_OK) {
        print_error("%s: %s\n", url, PQerrorMessage(connection));
        PQfinish(connection);
        fail();
    }
    return connection;
}

static PGresult *query(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) {
        print_error("%s: %s\n", sql, PQerrorMessage(connection));
        PQclear(result);
        fail();
    }
    return result;
}

static void on_server(const char *server, const char *sql)
{
    PGconn *connection = reach(server);
    PQclear(query(connection, sql));
    PQfinish(connection);
}

Scratch *scratch_new(const char *variable)
{
    static gint number;
    const char *server = g_getenv(variable);
    if (server == NULL) {
        print_error("%s is not set: it must be the URL of a server\n", variable);
        fail();
    }
    Scratch *scratch = g_new0(Scratch, 1);
    scratch->server = g_strdup(server);
    scratch->name = g_strdup_printf("scratch_%d_%d_%08x", (int)getpid(),
                                    g_atomic_int_add(&number, 1), g_random_int());
    const char *slash = strrchr(server, '/');
    scratch->url = g_strdup_printf("%.*s/%s", (int)(slash - server), server, scratch->name);
    g_autofree char *sql = g_strdup_printf("create database %s", scratch->name);
    on_server(server, sql);
    scratch->connection = reach(scratch->url);
    PQclear(query(scratch->connection, "set client_min_messages = warning"));
    return scratch;
}

void scratch_free(Scratch *scratch)
{
    if (scratch == NULL) {
        return;
    }
    PQfinish(scratch->connection);
    g_autofree char *sql =
        g_strdup_printf("drop database if exists %s with (force)", scratch->name);
    on_server(scratch->server, sql);
    g_free(scratch->server);
    g_free(scratch->name);
    g_free(scratch->url);
    g_free(scratch);
}

void scratch_run(Scratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    PQclear(query(scratch->connection, sql));
}

static char *first_value(Scratch *scratch, const char *sql)
{
    PGresult *result = query(scratch->connection, sql);
    char *value = NULL;
    if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0)) {
        value = g_strdup(PQgetvalue(result, 0, 0));
    }
    PQclear(result);
    return value;
}

char *scratch_ask(Scratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    return first_value(scratch, sql);
}

gint64 scratch_number(Scratch *scratch, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    g_autofree char *sql = g_strdup_vprintf(format, arguments);
    va_end(arguments);
    g_autofree char *value = first_value(scratch, sql);
    assert_non_null(value);
    return g_ascii_strtoll(value, NULL, 10);
}
