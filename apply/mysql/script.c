#include "apply/mysql/script.h"

#include "apply/mysql/row_text.h"
#include "schema/connection_mysql.h"

#define ENOUGH 262144       /* bytes of text */
#define PACKET_RESERVE 1024 /* of max_allowed_packet, for what the protocol adds */

void script_init(Script *script, Target *target, const Table *table, ScriptFound found, void *user)
{
    *script = (Script){.target = target, .table = table, .found = found, .user = user};
    script->text = g_string_new(NULL);
    script->rows = g_ptr_array_new();
}

void script_clear(Script *script)
{
    g_string_free(script->text, TRUE);
    g_ptr_array_unref(script->rows);
}

/* The answer of one statement. */
static bool take_answer(Script *script, StagedRow *row, GError **error)
{
    MYSQL *mysql = script->target->mysql;
    if (mysql_errno(mysql) != 0)
        return mysql_session_fail(mysql, error);
    if (mysql_warning_count(mysql) > 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                    "the server would not keep a value as it is and gave a warning");
        return false;
    }
    if (script->found)
        script->found(script->user, row, (gint64)mysql_affected_rows(mysql));
    return true;
}

static bool next_answer(Script *script, GError **error)
{
    if (mysql_next_result(script->target->mysql) >= 0)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG, "a statement has no answer");
    return false;
}

/* What is left after a warning is only read; after an error there is nothing. */
static bool take_answers(Script *script, guint n, GError **error)
{
    bool ok = true;
    for (guint i = 0; i < n; i++) {
        StagedRow *row = script->rows->pdata[i];
        if (i > 0 && !next_answer(script, ok ? error : NULL))
            return false;
        if (ok && !take_answer(script, row, error))
            ok = row_text_prefix(script->table, &row->row->key, error);
        if (mysql_errno(script->target->mysql) != 0)
            return false;
    }
    return ok;
}

static bool fits(const Script *script, gsize size, GError **error)
{
    if (size + PACKET_RESERVE <= script->target->max_packet)
        return true;
    const StagedRow *row = script->rows->pdata[0];
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_DATA,
                "it takes %" G_GSIZE_FORMAT " bytes in a statement, and the target's "
                "max_allowed_packet is %" G_GSIZE_FORMAT
                ": raise it, or set local_infile = on there",
                size, script->target->max_packet);
    return row_text_prefix(script->table, &row->row->key, error);
}

/* The first n statements, which end there in the text. */
static bool send_first(Script *script, guint n, gsize end, GError **error)
{
    MYSQL *mysql = script->target->mysql;
    bool ok = fits(script, end, error);
    if (ok) {
        mysql_real_query(mysql, script->text->str, (unsigned long)end); /* fails as an answer */
        ok = take_answers(script, n, error);
    }
    mysql_target_follow(script->target, ok);
    g_string_erase(script->text, 0, (gssize)end);
    g_ptr_array_remove_range(script->rows, 0, n);
    return ok;
}

bool script_end_statement(Script *script, StagedRow *row, GError **error)
{
    gsize before = script->start;
    g_string_append_c(script->text, ';');
    g_ptr_array_add(script->rows, row);
    script->start = script->text->len;
    if (script->text->len < ENOUGH)
        return true;
    guint n = script->rows->len;
    bool too_large = script->text->len + PACKET_RESERVE > script->target->max_packet;
    if (too_large && n > 1 && !send_first(script, n - 1, before, error))
        return false;
    return script_send(script, error);
}

bool script_send(Script *script, GError **error)
{
    script->start = 0;
    return script->rows->len == 0 ||
           send_first(script, script->rows->len, script->text->len, error);
}
