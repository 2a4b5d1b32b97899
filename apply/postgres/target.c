#include "apply/postgres/target.h"

#include "apply/postgres/session.h"

#include "apply/postgres/stage.h"

#include <string.h>

#define MAX_STATEMENTS 4096

/* A stage that does not fit into temp_buffers is written to disk and read back. */
#define SET_UP_WRITES "set session_replication_role = replica; set temp_buffers = '64MB'"

static void pg_close(Target *target)
{
    if (target == NULL)
        return;
    g_clear_pointer(&target->connection, PQfinish);
    g_clear_pointer(&target->statements, g_hash_table_unref);
    g_clear_pointer(&target->stages, g_hash_table_unref);
    g_free(target->copying);
    g_free(target->label);
    g_free(target);
}

/* Lets the server notice during a long statement that we are gone, and while an answer is on its
 * way that our machine is, so that our locks and claims do not outlive us. Not every platform's
 * server can do that: it is then noticed after the statement. */
static void watch_client(PGconn *connection)
{
    static const char *const settings[] = {"set client_connection_check_interval = '1s'",
                                           "set tcp_user_timeout = '30s'"};
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++) {
        g_autoptr(PGresult) result = PQexec(connection, settings[i]);
        if (PQresultStatus(result) != PGRES_COMMAND_OK)
            g_debug("%s: %s", settings[i], PQresultErrorMessage(result));
    }
}

static Target *pg_open(const Endpoint *endpoint, const char *label, GError **error)
{
    PGconn *connection = pg_connect(endpoint, label, PG_ORDINARY, error);
    if (connection == NULL)
        return NULL;
    watch_client(connection);
    Target *target = g_new0(Target, 1);
    target->connection = connection;
    target->label = g_strdup(endpoint->label);
    target->statements = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    target->stages = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, stage_free);
    return target;
}

const char *target_prepare(Target *target, const char *sql, int n, const Oid *types, GError **error)
{
    const char *known = g_hash_table_lookup(target->statements, sql);
    if (known != NULL)
        return known;
    char *name = g_strdup_printf("drover_%u", g_hash_table_size(target->statements) + 1);
    g_autoptr(PGresult) result = PQprepare(target->connection, name, sql, n, types);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) {
        pg_fail(target->connection, result, error);
        g_free(name);
        return NULL;
    }
    g_hash_table_insert(target->statements, g_strdup(sql), name);
    return name;
}

bool target_run(Target *target, const char *sql, gint64 *rows, GError **error)
{
    g_autoptr(PGresult) result = pg_query(target->connection, sql, error);
    if (result != NULL && rows != NULL)
        *rows = g_ascii_strtoll(PQcmdTuples(result), NULL, 10);
    return result != NULL;
}

static PGresult *run_prepared(Target *target, const char *sql, int n, const char *const *values,
                              GError **error)
{
    if (g_hash_table_size(target->statements) >= MAX_STATEMENTS)
        return pg_query_params(target->connection, sql, n, values, error);
    const char *name = target_prepare(target, sql, n, NULL, error);
    if (name == NULL)
        return NULL;
    g_autoptr(PGresult) result = PQexecPrepared(target->connection, name, n, values, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
        return g_steal_pointer(&result);
    pg_fail(target->connection, result, error);
    return NULL;
}

static bool starts_with(const char *sql, const char *word)
{
    return g_ascii_strncasecmp(sql, word, strlen(word)) == 0;
}

/* What is remembered of the stages follows what a statement did to the transaction. */
static void follow_transaction(Target *target, bool was_idle, const char *sql, bool committed)
{
    bool is_idle = PQtransactionStatus(target->connection) == PQTRANS_IDLE;
    if (is_idle && !was_idle)
        stages_transaction_ended(target, committed);
    else if (starts_with(sql, "rollback"))
        stages_rolled_back_partly(target);
}

/* A server answers the commit of a failed transaction with a rollback, and calls that a success. */
static bool check_commit(const char *sql, bool committed, GError **error)
{
    if (committed || !starts_with(sql, "commit"))
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY,
                "the transaction was rolled back: one of its statements had failed");
    return false;
}

static Answer *pg_execute(Target *target, const char *sql, guint n_values,
                          const char *const *values, GError **error)
{
    bool was_idle = PQtransactionStatus(target->connection) == PQTRANS_IDLE;
    g_clear_pointer(&target->copying, g_free); /* libpq ends a copy that is open */
    g_autoptr(PGresult) result = n_values == 0
                                     ? pg_query(target->connection, sql, error)
                                     : run_prepared(target, sql, (int)n_values, values, error);
    bool committed = result != NULL && strcmp(PQcmdStatus(result), "COMMIT") == 0;
    follow_transaction(target, was_idle, sql, committed);
    if (result == NULL || !check_commit(sql, committed, error)) {
        g_prefix_error(error, "%s: ", target->label);
        return NULL;
    }
    return pg_answer(result);
}

static bool fail_replica_role(Target *target, const PGresult *result, GError **error)
{
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    if (state == NULL || strcmp(state, "42501") != 0) {
        pg_fail(target->connection, result, error);
        g_prefix_error(error, "%s: ", target->label);
        return false;
    }
    g_autoptr(GString) remedy = g_string_new(NULL);
    if (pg_server_major(target->connection) >= 15)
        g_string_append(remedy, "grant set on parameter session_replication_role to ");
    else
        g_string_append(remedy, "alter role ");
    pg_append_identifier(remedy, PQuser(target->connection));
    if (pg_server_major(target->connection) < 15)
        g_string_append(remedy, " superuser");
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "%s: the role \"%s\" may not set session_replication_role, so triggers and foreign "
                "keys would act on rows that the source has dealt with already; run there, as a "
                "superuser: %s",
                target->label, PQuser(target->connection), remedy->str);
    return false;
}

static bool pg_prepare_writes(Target *target, GError **error)
{
    g_autoptr(PGresult) result = PQexec(target->connection, SET_UP_WRITES);
    if (PQresultStatus(result) == PGRES_COMMAND_OK)
        return true;
    return fail_replica_role(target, result, error);
}

static char *copy_statement(const Table *table)
{
    g_autoptr(GString) sql = g_string_new("copy ");
    pg_append_qualified(sql, table->target_schema, table->target_name);
    for (guint i = 0; i < table->n_columns; i++) {
        g_string_append(sql, i > 0 ? ", " : " (");
        pg_append_identifier(sql, table->columns[i].name);
    }
    g_string_append(sql, ") from stdin (format binary)");
    return g_string_free(g_steal_pointer(&sql), FALSE);
}

static bool copy_failed(Target *target, GError **error)
{
    g_prefix_error(error, "%s: copying into %s: ", target->label, target->copying);
    g_clear_pointer(&target->copying, g_free);
    return false;
}

/* The commit of a chunk waits for no disk: its line in the ledger is in the same transaction, so a
 * crash takes back both or none. */
static bool pg_copy_begin(Target *target, const Table *table, GError **error)
{
    if (!target_run(target, "set local synchronous_commit = off", NULL, error))
        return false;
    g_autofree char *sql = copy_statement(table);
    g_free(target->copying);
    target->copying = g_strdup_printf("%s.%s", table->target_schema, table->target_name);
    if (!copy_in_begin(&target->copy, target->connection, sql, error))
        return copy_failed(target, error);
    return true;
}

static bool copy_is_open(const Target *target, GError **error)
{
    if (target->copying != NULL)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "%s: no copy is open", target->label);
    return false;
}

static bool pg_copy_data(Target *target, const guint8 *data, gsize size, GError **error)
{
    if (!copy_is_open(target, error))
        return false;
    if (!copy_in_put(&target->copy, data, size, error))
        return copy_failed(target, error);
    return true;
}

static bool pg_copy_end(Target *target, gint64 *rows, GError **error)
{
    if (!copy_is_open(target, error))
        return false;
    if (!copy_in_end(&target->copy, rows, error))
        return copy_failed(target, error);
    g_clear_pointer(&target->copying, g_free);
    return true;
}

static bool pg_read_rows(Target *target, ReadRequest *request, const ReadSink *sink, GError **error)
{
    const Table *table = request->table;
    return pg_read(target->connection, table->target_schema, table->target_name, request, sink,
                   error);
}

const TargetOps pg_target_ops = {
    .engine = "postgresql",
    .connect = pg_open,
    .close = pg_close,
    .execute = pg_execute,
    .lock_role = target_lock_role,
    .role_holders = target_role_holders,
    .prepare_writes = pg_prepare_writes,
    .copy_begin = pg_copy_begin,
    .copy_data = pg_copy_data,
    .copy_end = pg_copy_end,
    .write = target_write,
    .read = pg_read_rows,
};
