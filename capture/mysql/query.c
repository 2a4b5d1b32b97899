#include "capture/mysql/query.h"

#include "capture/mysql/query_ddl.h"
#include "schema/mysql/charset.h"

#include <string.h>

#define MODE_ANSI_QUOTES G_GUINT64_CONSTANT(0x4)
#define MODE_NO_BACKSLASH_ESCAPES G_GUINT64_CONSTANT(0x100000)
#define SHOWN 80 /* bytes of a statement in a message */

/* Statements that change neither rows nor the form of a table. */
static const char *const harmless[] = {"GRANT",    "REVOKE", "FLUSH",   "ANALYZE",
                                       "OPTIMIZE", "REPAIR", "INSTALL", "UNINSTALL"};

static void free_table(gpointer data)
{
    QueryTable *table = data;
    g_free(table->database);
    g_free(table->table);
    g_free(table);
}

void query_meaning_clear(QueryMeaning *meaning)
{
    g_free(meaning->what);
    g_free(meaning->name);
    g_free(meaning->xid);
    g_clear_pointer(&meaning->tables, g_ptr_array_unref);
    g_clear_pointer(&meaning->calls, g_ptr_array_unref);
}

/* As it is in UTF-8; NULL where it cannot be. */
static GByteArray *to_utf8(const BinlogQuery *query)
{
    g_autoptr(GByteArray) text = g_byte_array_new();
    const guint8 *bytes = (const guint8 *)query->statement.text;
    if (query->client_charset == 0 || query->client_charset == MYSQL_COLLATION_BINARY)
        g_byte_array_append(text, bytes, (guint)query->statement.size);
    else if (!mysql_charset_to_utf8(query->client_charset, bytes, query->statement.size, text,
                                    NULL))
        return NULL;
    return g_steal_pointer(&text);
}

static bool says(QueryWalk *walk, QueryKind kind, const char *what)
{
    walk->meaning->kind = kind;
    walk->meaning->what = g_strdup(what);
    return true;
}

static bool at_end(const QueryWalk *walk)
{
    return walk->word->kind == WORD_END;
}

/* The rest is the name of an XA transaction; ONE PHASE behind it means that it commits at once. */
static bool take_xid(QueryWalk *walk, const char *statement)
{
    gsize start = walk->word->start, end = start;
    for (; !at_end(walk) && !query_is(walk, "ONE"); walk->word++)
        end = walk->word->end;
    walk->meaning->xid = g_strndup(statement + start, end - start);
    return end > start;
}

static bool read_xa(QueryWalk *walk, const char *statement)
{
    static const struct {
        const char *keyword;
        QueryKind kind;
        const char *what;
    } verbs[] = {{"START", QUERY_XA_START, "XA START"},
                 {"BEGIN", QUERY_XA_START, "XA START"},
                 {"END", QUERY_XA_END, "XA END"},
                 {"COMMIT", QUERY_XA_COMMIT, "XA COMMIT"},
                 {"ROLLBACK", QUERY_XA_ROLLBACK, "XA ROLLBACK"}};
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (query_take(walk, verbs[i].keyword))
            return says(walk, verbs[i].kind, verbs[i].what) && take_xid(walk, statement);
    return false;
}

static bool read_rollback(QueryWalk *walk)
{
    query_take(walk, "WORK");
    if (at_end(walk))
        return says(walk, QUERY_ROLLBACK, "ROLLBACK");
    if (!query_take(walk, "TO"))
        return false;
    query_take(walk, "SAVEPOINT");
    if (at_end(walk))
        return false;
    walk->meaning->name = g_strdup(walk->word->text);
    walk->word++;
    return says(walk, QUERY_ROLLBACK_TO, "ROLLBACK TO") && at_end(walk);
}

static bool read_transaction(QueryWalk *walk)
{
    if (query_take(walk, "BEGIN")) {
        query_take(walk, "WORK");
        return says(walk, QUERY_BEGIN, "BEGIN") && at_end(walk);
    }
    if (query_take(walk, "START"))
        return query_take(walk, "TRANSACTION") && says(walk, QUERY_BEGIN, "BEGIN") && at_end(walk);
    if (query_take(walk, "COMMIT")) {
        query_take(walk, "WORK");
        return says(walk, QUERY_COMMIT, "COMMIT") && at_end(walk);
    }
    if (query_take(walk, "ROLLBACK"))
        return read_rollback(walk);
    if (query_take(walk, "RELEASE"))
        return query_is(walk, "SAVEPOINT") && says(walk, QUERY_SAVEPOINT, "RELEASE SAVEPOINT");
    if (!query_take(walk, "SAVEPOINT") || at_end(walk))
        return false;
    walk->meaning->name = g_strdup(walk->word->text);
    return says(walk, QUERY_SAVEPOINT, "SAVEPOINT");
}

/* DELETE FROM table, all of it: how MariaDB logs that a MEMORY table lost its rows. */
static bool read_truncate(QueryWalk *walk)
{
    if (query_take(walk, "TRUNCATE")) {
        query_take(walk, "TABLE");
    } else if (!query_take(walk, "DELETE") || !query_take(walk, "FROM")) {
        return false;
    }
    if (!query_take_table(walk))
        return false;
    if (!query_take(walk, "WAIT"))
        query_take(walk, "NOWAIT");
    else if (!at_end(walk))
        walk->word++;
    return says(walk, QUERY_TRUNCATE, "TRUNCATE") && at_end(walk);
}

static void take_words(QueryWalk *walk, const char *const *words)
{
    for (gsize i = 0; words[i]; i++)
        query_take(walk, words[i]);
}

static void note_calls(QueryWalk *walk)
{
    walk->meaning->calls = g_ptr_array_new_with_free_func(g_free);
    for (; !at_end(walk); walk->word++) {
        const Word *word = walk->word, *next = word + 1;
        if ((word->kind != WORD_NAME && word->kind != WORD_QUOTED) || next->kind != WORD_SIGN ||
            next->text[0] != '(')
            continue;
        bool behind = word[-1].kind == WORD_SIGN && word[-1].text[0] == '.';
        g_ptr_array_add(
            walk->meaning->calls,
            g_strconcat(behind ? "." : "", word->text, next->start > word->end ? " " : "", NULL));
    }
}

/* Of UPDATE and DELETE only the forms of one table: a list of tables has a word or sign there. */
static bool read_rows(QueryWalk *walk)
{
    static const char *const words[] = {
        "LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE", "INTO", NULL};
    bool update = query_take(walk, "UPDATE"), whole = !update && query_take(walk, "DELETE");
    if (!update && !whole && !query_take(walk, "INSERT") && !query_take(walk, "REPLACE"))
        return false;
    const char *what = walk->word[-1].text;
    take_words(walk, words);
    if ((whole && !query_take(walk, "FROM")) || !query_take_table(walk) ||
        (update && !query_is(walk, "SET")) ||
        (whole && !query_is(walk, "WHERE") && !query_is(walk, "ORDER") && !query_is(walk, "LIMIT")))
        return false;
    note_calls(walk);
    return says(walk, QUERY_ROWS, what);
}

static bool read_set(QueryWalk *walk)
{
    if (query_is(walk, "PASSWORD") || query_is(walk, "DEFAULT"))
        return says(walk, QUERY_HARMLESS, "SET");
    return false;
}

static bool read_harmless(QueryWalk *walk)
{
    for (gsize i = 0; i < G_N_ELEMENTS(harmless); i++)
        if (query_take(walk, harmless[i]))
            return says(walk, QUERY_HARMLESS, harmless[i]);
    return query_take(walk, "SET") && read_set(walk);
}

/* SET STATEMENT setting = value, ... FOR statement (MariaDB) */
static void skip_settings(QueryWalk *walk)
{
    if (!query_is(walk, "SET") || walk->word[1].kind != WORD_NAME ||
        g_ascii_strcasecmp(walk->word[1].text, "STATEMENT") != 0)
        return;
    while (!at_end(walk) && !query_take(walk, "FOR"))
        walk->word++;
}

/* Goes back and tries another meaning. */
static void forget(QueryWalk *walk, const Word *word)
{
    walk->word = word;
    g_ptr_array_set_size(walk->meaning->tables, 0);
    g_clear_pointer(&walk->meaning->what, g_free);
}

static bool read_statement(QueryWalk *walk, const char *statement)
{
    static const char *const verbs[] = {"CREATE", "ALTER", "DROP"};
    if (at_end(walk)) /* a comment: what servers put where an event was left out */
        return says(walk, QUERY_HARMLESS, "nothing");
    if (query_take(walk, "XA"))
        return read_xa(walk, statement);
    skip_settings(walk);
    for (gsize i = 0; i < G_N_ELEMENTS(verbs); i++)
        if (query_take(walk, verbs[i]))
            return query_ddl(walk, verbs[i]);
    if (query_take(walk, "RENAME"))
        return query_rename(walk);
    const Word *first = walk->word;
    if (query_is(walk, "TRUNCATE") || query_is(walk, "DELETE")) {
        if (read_truncate(walk))
            return true;
        forget(walk, first);
    }
    return read_transaction(walk) || read_rows(walk) || read_harmless(walk);
}

static void stop_at(QueryMeaning *meaning, const char *statement, gsize size)
{
    query_meaning_clear(meaning);
    g_autofree char *start = size > 0 ? g_strndup(statement, MIN(size, SHOWN)) : g_strdup("");
    *meaning = (QueryMeaning){.kind = QUERY_STOP, .what = g_utf8_make_valid(start, -1)};
    meaning->tables = g_ptr_array_new_with_free_func(free_table);
}

QueryMeaning query_classify(const BinlogQuery *query)
{
    QueryMeaning meaning = {.kind = QUERY_STOP};
    g_autoptr(GByteArray) text = to_utf8(query);
    if (!text) {
        stop_at(&meaning, query->statement.text, query->statement.size);
        return meaning;
    }
    const char *statement = (const char *)text->data;
    g_autoptr(GArray) words = query_words(statement, text->len, query->sql_mode & MODE_ANSI_QUOTES,
                                          !(query->sql_mode & MODE_NO_BACKSLASH_ESCAPES));
    meaning.tables = g_ptr_array_new_with_free_func(free_table);
    if (words) {
        QueryWalk walk = {
            .query = query, .word = (const Word *)(void *)words->data, .meaning = &meaning};
        if (read_statement(&walk, statement))
            return meaning;
    }
    stop_at(&meaning, statement, text->len);
    return meaning;
}
