#include "apply/mysql/target.h"

#include "apply/mysql/session.h"

#include "apply/mysql/copy_in.h"
#include "apply/mysql/lock.h"
#include "apply/mysql/statement.h"
#include "apply/mysql/write.h"
#include "schema/connection_mysql.h"
#include "schema/mysql/read.h"

#include <string.h>

#define LOAD_FROM 2000
#define STAGE_FROM 200
#define LONGEST_STATEMENT_S 86400 /* an index of a large table */

/* Statements follow each other in a transaction of theirs as in PostgreSQL's: each sees what is
 * committed, and nothing but rows is locked. */
#define SET_UP_SESSION "set session transaction isolation level read committed"
#define ASK_SESSION "select @@max_allowed_packet, @@local_infile, connection_id()"

static void my_close(Target *target)
{
    if (!target)
        return;
    mysql_copy_in_free(target->copy);
    g_clear_pointer(&target->mysql, mysql_close);
    g_free(target->connection_id);
    g_free(target->label);
    g_free(target);
}

static bool set_up(Target *target, GError **error)
{
    g_autoptr(Answer) answer = NULL;
    if (!mysql_target_run(target, SET_UP_SESSION, strlen(SET_UP_SESSION), NULL, error))
        return false;
    answer = mysql_target_ask(target, ASK_SESSION, strlen(ASK_SESSION), error);
    if (!answer)
        return false;
    target->max_packet = (gsize)g_ascii_strtoull(answer_get(answer, 0, 0), NULL, 10);
    target->local_infile = strcmp(answer_get(answer, 0, 1), "1") == 0;
    target->connection_id = g_strdup(answer_get(answer, 0, 2));
    return true;
}

static Target *my_open(const Endpoint *endpoint, const char *label, GError **error)
{
    MYSQL *mysql = mysql_session_open_writer(endpoint, label, LONGEST_STATEMENT_S, error);
    if (!mysql)
        return NULL;
    Target *target = g_new0(Target, 1);
    target->mysql = mysql;
    target->load_from = LOAD_FROM;
    target->stage_from = STAGE_FROM;
    target->label = g_strdup(endpoint->label);
    target->mariadb = mysql_session_is_mariadb(mysql);
    if (set_up(target, error) && mysql_target_take_badge(target, label, error))
        return target;
    g_prefix_error(error, "%s: ", endpoint->label);
    my_close(target);
    return NULL;
}

/* --- Statements ------------------------------------------------------------------------------- */

static Answer *read_answer(MYSQL *mysql, MYSQL_RES *result)
{
    Answer *answer = g_new0(Answer, 1);
    answer->affected = result ? -1 : (gint64)mysql_affected_rows(mysql);
    if (!result)
        return answer;
    answer->n_rows = (guint)mysql_num_rows(result);
    answer->n_columns = mysql_num_fields(result);
    answer->values = g_new0(char *, (gsize)answer->n_rows * answer->n_columns + 1);
    for (guint i = 0; i < answer->n_rows; i++) {
        MYSQL_ROW row = mysql_fetch_row(result);
        const unsigned long *lengths = mysql_fetch_lengths(result);
        for (guint j = 0; j < answer->n_columns; j++)
            if (row[j])
                answer->values[(gsize)i * answer->n_columns + j] = g_strndup(row[j], lengths[j]);
    }
    return answer;
}

static Answer *take_answers(MYSQL *mysql, GError **error)
{
    Answer *answer = NULL;
    for (int next = 0; next == 0; next = mysql_next_result(mysql)) {
        MYSQL_RES *result = mysql_store_result(mysql);
        g_clear_pointer(&answer, answer_free);
        if (!result && mysql_errno(mysql) != 0)
            break;
        answer = read_answer(mysql, result);
        g_clear_pointer(&result, mysql_free_result);
    }
    if (mysql_errno(mysql) == 0)
        return answer;
    mysql_session_fail(mysql, error);
    answer_free(answer);
    return NULL;
}

/* A statement that commits by itself ends the transaction. */
void mysql_target_follow(Target *target, bool done)
{
    if (!done)
        target->failed = target->in_transaction;
    else
        target->in_transaction = (target->mysql->server_status & SERVER_STATUS_IN_TRANS) != 0;
}

Answer *mysql_target_ask(Target *target, const char *sql, gsize length, GError **error)
{
    Answer *answer = NULL;
    if (mysql_real_query(target->mysql, sql, (unsigned long)length) == 0)
        answer = take_answers(target->mysql, error);
    else
        mysql_session_fail(target->mysql, error);
    mysql_target_follow(target, answer != NULL);
    return answer;
}

bool mysql_target_run(Target *target, const char *sql, gsize length, gint64 *rows, GError **error)
{
    g_autoptr(Answer) answer = mysql_target_ask(target, sql, length, error);
    if (answer && rows)
        *rows = answer->affected;
    return answer != NULL;
}

static Answer *refuse_after_failure(StatementKind kind, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s",
                kind == STATEMENT_COMMIT
                    ? "the transaction was rolled back: one of its statements had failed"
                    : "one of the transaction's statements has failed: it can only be rolled back");
    return NULL;
}

static Answer *begin(Target *target, const char *sql, GError **error)
{
    g_autofree char *statements = statement_begin(sql);
    if (!target->in_transaction)
        return mysql_target_ask(target, statements, strlen(statements), error);
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "a transaction is open already");
    return NULL;
}

static Answer *execute(Target *target, const char *sql, guint n_values, const char *const *values,
                       GError **error)
{
    StatementKind kind = statement_kind(sql);
    if (target->failed && kind == STATEMENT_COMMIT) {
        target->failed = false;
        if (!mysql_target_run(target, "rollback", strlen("rollback"), NULL, error))
            return NULL;
        return refuse_after_failure(kind, error);
    }
    bool ends_failure = kind == STATEMENT_ROLLBACK || kind == STATEMENT_ROLLBACK_TO;
    if (target->failed && !ends_failure)
        return refuse_after_failure(kind, error);
    if (kind == STATEMENT_BEGIN)
        return begin(target, sql, error);
    g_autoptr(GString) bound = statement_bind(sql, n_values, values, error);
    if (!bound)
        return NULL;
    Answer *answer = mysql_target_ask(target, bound->str, bound->len, error);
    if (answer && ends_failure)
        target->failed = false;
    return answer;
}

static Answer *my_execute(Target *target, const char *sql, guint n_values,
                          const char *const *values, GError **error)
{
    g_clear_pointer(&target->copy, mysql_copy_in_free);
    Answer *answer = execute(target, sql, n_values, values, error);
    if (!answer)
        g_prefix_error(error, "%s: ", target->label);
    return answer;
}

/* --- Writing ---------------------------------------------------------------------------------- */

/* Warnings are counted and told: rounded values are known by nothing else. */
#define SET_UP_WRITES                                                                              \
    "set session foreign_key_checks = 0, unique_checks = 1, sql_safe_updates = 0, sql_notes = 1, " \
    "max_error_count = 64"

static bool my_prepare_writes(Target *target, GError **error)
{
    if (mysql_target_run(target, SET_UP_WRITES, strlen(SET_UP_WRITES), NULL, error))
        return true;
    g_prefix_error(error, "%s: preparing for writes: ", target->label);
    return false;
}

static bool copy_failed(Target *target, GError **error)
{
    const Table *table = target->copy->table;
    g_prefix_error(error, "%s: copying into %s.%s: ", target->label, table->target_schema,
                   table->target_name);
    g_clear_pointer(&target->copy, mysql_copy_in_free);
    target->failed = target->in_transaction;
    return false;
}

static bool my_copy_begin(Target *target, const Table *table, GError **error)
{
    (void)error;
    mysql_copy_in_free(target->copy);
    target->copy = mysql_copy_in_new(target, table);
    return true;
}

static bool copy_is_open(const Target *target, GError **error)
{
    if (target->copy)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "%s: no copy is open", target->label);
    return false;
}

static bool my_copy_data(Target *target, const guint8 *data, gsize size, GError **error)
{
    return copy_is_open(target, error) &&
           (mysql_copy_in_put(target->copy, data, size, error) || copy_failed(target, error));
}

static bool my_copy_end(Target *target, gint64 *rows, GError **error)
{
    if (!copy_is_open(target, error))
        return false;
    if (!mysql_copy_in_end(target->copy, rows, error))
        return copy_failed(target, error);
    g_clear_pointer(&target->copy, mysql_copy_in_free);
    return true;
}

static bool my_read(Target *target, ReadRequest *request, const ReadSink *sink, GError **error)
{
    const Table *table = request->table;
    if (mysql_read(target->mysql, table->target_schema, table->target_name, request, sink, error))
        return true;
    target->failed = target->in_transaction;
    return false;
}

const TargetOps mysql_target_ops = {
    .engine = "mysql",
    .connect = my_open,
    .close = my_close,
    .execute = my_execute,
    .lock_role = mysql_target_lock_role,
    .role_holders = mysql_target_role_holders,
    .prepare_writes = my_prepare_writes,
    .copy_begin = my_copy_begin,
    .copy_data = my_copy_data,
    .copy_end = my_copy_end,
    .write = mysql_target_write,
    .read = my_read,
};
