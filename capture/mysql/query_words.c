#include "capture/mysql/query_words.h"

#include <string.h>

typedef struct Scanner {
    const char *text;
    gsize size;
    gsize at;
    bool ansi_quotes;
    bool backslashes;
    bool versioned; /* inside of a comment whose contents count */
    GArray *words;
} Scanner;

static void clear_word(gpointer word)
{
    g_free(((Word *)word)->text);
}

static char peek(const Scanner *scanner, gsize ahead)
{
    return scanner->at + ahead < scanner->size ? scanner->text[scanner->at + ahead] : 0;
}

static bool is_name(char c)
{
    return g_ascii_isalnum(c) || c == '_' || c == '$' || (guint8)c >= 0x80;
}

static void add(Scanner *scanner, WordKind kind, char *text, gsize start)
{
    Word word = {.kind = kind, .text = text, .start = start, .end = scanner->at};
    g_array_append_val(scanner->words, word);
}

static void skip_line(Scanner *scanner)
{
    while (scanner->at < scanner->size && scanner->text[scanner->at] != '\n')
        scanner->at++;
}

/* An opening comment: skipped whole, or, where servers execute it, only its start. MariaDB also
 * knows "M!", and executes only what is for its version or an older one; for what these servers log
 * of themselves the difference does not show. */
static bool skip_comment(Scanner *scanner)
{
    gsize mark = peek(scanner, 2) == 'M' ? 3 : 2;
    if (peek(scanner, mark) == '!') {
        scanner->at += mark + 1;
        while (g_ascii_isdigit(peek(scanner, 0)))
            scanner->at++;
        scanner->versioned = true;
        return true;
    }
    for (scanner->at += 2; scanner->at < scanner->size; scanner->at++)
        if (peek(scanner, 0) == '*' && peek(scanner, 1) == '/') {
            scanner->at += 2;
            return true;
        }
    return false;
}

static bool is_dash_comment(const Scanner *scanner)
{
    char behind = peek(scanner, 2);
    return peek(scanner, 0) == '-' && peek(scanner, 1) == '-' &&
           (behind == 0 || g_ascii_isspace(behind) || g_ascii_iscntrl(behind));
}

static bool take_quoted(Scanner *scanner, gsize start, WordKind kind)
{
    char quote = scanner->text[scanner->at++];
    bool escapes = scanner->backslashes && quote != '`' && kind == WORD_TEXT;
    g_autoptr(GString) text = g_string_new(NULL);
    for (; scanner->at < scanner->size; scanner->at++) {
        char c = scanner->text[scanner->at];
        if (c == quote && peek(scanner, 1) != quote) {
            scanner->at++;
            add(scanner, kind, g_strdup(text->str), start);
            return true;
        }
        if (c == quote || (escapes && c == '\\'))
            scanner->at++;
        g_string_append_c(text, peek(scanner, 0));
    }
    return false;
}

static void take_name(Scanner *scanner)
{
    gsize start = scanner->at;
    while (is_name(peek(scanner, 0)))
        scanner->at++;
    add(scanner, WORD_NAME, g_strndup(scanner->text + start, scanner->at - start), start);
}

/* One word, or what stands between words. */
static bool step(Scanner *scanner)
{
    char c = peek(scanner, 0), next = peek(scanner, 1);
    gsize start = scanner->at;
    if (g_ascii_isspace(c) || c == 0) {
        scanner->at++;
    } else if (c == '/' && next == '*') {
        return skip_comment(scanner);
    } else if (scanner->versioned && c == '*' && next == '/') {
        scanner->versioned = false;
        scanner->at += 2;
    } else if (c == '#' || is_dash_comment(scanner)) {
        skip_line(scanner);
    } else if (c == '`' || (c == '"' && scanner->ansi_quotes)) {
        return take_quoted(scanner, start, WORD_QUOTED);
    } else if (c == '\'' || c == '"') {
        return take_quoted(scanner, start, WORD_TEXT);
    } else if (strchr("xXbBnN", c) && next == '\'') {
        scanner->at++;
        return take_quoted(scanner, start, WORD_TEXT);
    } else if (is_name(c)) {
        take_name(scanner);
    } else {
        scanner->at++;
        add(scanner, WORD_SIGN, g_strndup(&c, 1), start);
    }
    return true;
}

GArray *query_words(const char *statement, gsize size, bool ansi_quotes, bool backslashes)
{
    Scanner scanner = {.text = statement,
                       .size = size,
                       .ansi_quotes = ansi_quotes,
                       .backslashes = backslashes,
                       .words = g_array_new(false, false, sizeof(Word))};
    g_array_set_clear_func(scanner.words, clear_word);
    bool good = true;
    while (good && scanner.at < size)
        good = step(&scanner);
    if (!good) {
        g_array_unref(scanner.words);
        return NULL;
    }
    add(&scanner, WORD_END, NULL, size);
    return scanner.words;
}
