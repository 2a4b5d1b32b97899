/*
 * ALTER TABLE that only adds indexes:
 *
 *   ADD {INDEX | KEY | FULLTEXT [INDEX | KEY] | SPATIAL [INDEX | KEY]} [IF NOT EXISTS] [name]
 *       [USING type] (parts) option ...
 *   {ALGORITHM | LOCK | COMMENT | AUTO_INCREMENT} [=] value
 *   WAIT n, NOWAIT
 *
 * with commas between. What is not of that form may change anything.
 */
#include "capture/mysql/query_ddl.h"

static bool is(const Word *word, const char *keyword)
{
    return word->kind == WORD_NAME && g_ascii_strcasecmp(word->text, keyword) == 0;
}

static bool take(const Word **word, const char *keyword)
{
    if (!is(*word, keyword))
        return false;
    ++*word;
    return true;
}

static bool is_sign(const Word *word, char sign)
{
    return word->kind == WORD_SIGN && word->text[0] == sign;
}

static bool take_parentheses(const Word **word)
{
    guint depth = 0;
    if (!is_sign(*word, '('))
        return false;
    do {
        if ((*word)->kind == WORD_END)
            return false;
        depth += is_sign(*word, '(');
        depth -= is_sign(*word, ')');
        ++*word;
    } while (depth > 0);
    return true;
}

/* keyword [=] value */
static bool take_setting(const Word **word, const char *keyword)
{
    if (!take(word, keyword))
        return false;
    if (is_sign(*word, '='))
        ++*word;
    if ((*word)->kind == WORD_END || (*word)->kind == WORD_SIGN)
        return false;
    ++*word;
    return true;
}

static bool take_option(const Word **word)
{
    static const char *const settings[] = {"USING", "TYPE", "KEY_BLOCK_SIZE", "COMMENT", "PARSER"};
    static const char *const plain[] = {"WITH", "VISIBLE", "INVISIBLE", "NOT", "IGNORED"};
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
        if (take_setting(word, settings[i]))
            return true;
    for (gsize i = 0; i < G_N_ELEMENTS(plain); i++)
        if (take(word, plain[i]))
            return true;
    return false;
}

static bool take_index(const Word **word)
{
    bool special = take(word, "FULLTEXT") || take(word, "SPATIAL");
    if (!take(word, "INDEX") && !take(word, "KEY") && !special)
        return false;
    if (take(word, "IF") && (!take(word, "NOT") || !take(word, "EXISTS")))
        return false;
    if (!is(*word, "USING") && ((*word)->kind == WORD_NAME || (*word)->kind == WORD_QUOTED))
        ++*word;
    take_setting(word, "USING");
    if (!take_parentheses(word))
        return false;
    while (take_option(word))
        ;
    return true;
}

static bool take_clause(const Word **word)
{
    static const char *const settings[] = {"ALGORITHM", "LOCK", "COMMENT", "AUTO_INCREMENT",
                                           "WAIT"};
    if (take(word, "ADD"))
        return take_index(word);
    for (gsize i = 0; i < G_N_ELEMENTS(settings); i++)
        if (take_setting(word, settings[i]))
            return true;
    return take(word, "NOWAIT");
}

bool query_adds_indexes(const Word *word)
{
    for (;;) {
        if (!take_clause(&word))
            return false;
        if (word->kind == WORD_END)
            return true;
        if (!is_sign(word, ','))
            return false;
        word++;
    }
}
