#include "capture/mysql/statement.h"

#include <string.h>

#define SHOWN 80 /* bytes of a statement in a message */
#define START_OVER "start the migration over (drover drop, then run)"

static const Table *find(const MysqlRelations *relations, const QueryTable *named)
{
    if (!named->database)
        return NULL;
    return named->table ? mysql_relations_table(relations, named->database, named->table)
                        : mysql_relations_any_in(relations, named->database);
}

static bool fail_ddl(const BinlogEvent *event, const QueryMeaning *meaning, const Table *table,
                     GError **error)
{
    return mysql_fail_at(event, error,
                         "%s changes table %s, %s; this migration does not follow such changes: "
                         "undo it where that can be done, then " START_OVER,
                         meaning->what, table->label,
                         meaning->moves_rows ? "and rows of it without telling which"
                                             : "which is being moved");
}

/* An index that is no key and guards nothing: of those that are left none is unique. */
static bool drops_plain_index(const QueryMeaning *meaning, const Table *table)
{
    return meaning->drops_index && !table->other_unique &&
           g_ascii_strcasecmp(meaning->name, "PRIMARY") != 0 &&
           g_strcmp0(meaning->name, table->key_name) != 0;
}

static bool judge_ddl(const MysqlRelations *relations, const BinlogEvent *event,
                      const QueryMeaning *meaning, GError **error)
{
    for (guint i = 0; i < meaning->tables->len; i++) {
        const Table *table = find(relations, meaning->tables->pdata[i]);
        if (table && !meaning->keeps_form && !drops_plain_index(meaning, table))
            return fail_ddl(event, meaning, table, error);
    }
    return true;
}

static bool fail_statement(const BinlogEvent *event, const char *why, GError **error)
{
    const BinlogText *statement = &event->query.statement;
    g_autofree char *start = g_strndup(statement->text, MIN(statement->size, SHOWN));
    g_autofree char *valid = g_utf8_make_valid(start, -1);
    return mysql_fail_at(event, error,
                         "the log has a statement instead of its rows, %s: \"%s\"; set "
                         "binlog_format=ROW for every session, then " START_OVER,
                         why, valid);
}

/* Tools that watch a server log their own tables so. */
static bool judge_rows(const MysqlRelations *relations, const BinlogEvent *event,
                       const QueryMeaning *meaning, MysqlReaches reaches, void *user,
                       GError **error)
{
    const char *why = "of a table that is being moved";
    const QueryTable *named = meaning->tables->pdata[0];
    if (named->database && !find(relations, named) && !reaches(user, meaning, &why, error))
        return false;
    return !why || fail_statement(event, why, error);
}

bool mysql_statement_judge(const MysqlRelations *relations, const BinlogEvent *event,
                           const QueryMeaning *meaning, MysqlReaches reaches, void *user,
                           const Table **truncated, GError **error)
{
    *truncated = NULL;
    switch (meaning->kind) {
    case QUERY_HARMLESS:
        return true;
    case QUERY_DDL:
        return judge_ddl(relations, event, meaning, error);
    case QUERY_ROWS:
        return judge_rows(relations, event, meaning, reaches, user, error);
    case QUERY_TRUNCATE:
        *truncated = find(relations, meaning->tables->pdata[0]);
        return true;
    default:
        return fail_statement(event, "or one that drover does not know", error);
    }
}
