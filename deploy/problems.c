#include "deploy/problems.h"

#include "proto/error.h"

typedef struct Problem {
    guint line, column;
    char *message;
} Problem;

struct Problems {
    GArray *shown;
    guint count;
};

static void problem_clear(void *data)
{
    Problem *problem = data;
    g_free(problem->message);
}

Problems *problems_new(void)
{
    Problems *problems = g_new0(Problems, 1);
    problems->shown = g_array_new(FALSE, FALSE, sizeof(Problem));
    g_array_set_clear_func(problems->shown, problem_clear);
    return problems;
}

void problems_free(Problems *problems)
{
    if (problems == NULL)
        return;
    g_array_unref(problems->shown);
    g_free(problems);
}

void problems_add(Problems *problems, guint line, guint column, const char *format, ...)
{
    problems->count++;
    if (problems->shown->len == PROBLEMS_SHOWN)
        return;
    va_list arguments;
    va_start(arguments, format);
    Problem problem = {line, column, g_strdup_vprintf(format, arguments)};
    va_end(arguments);
    g_array_append_val(problems->shown, problem);
}

guint problems_count(const Problems *problems)
{
    return problems->count;
}

bool problems_full(const Problems *problems)
{
    return problems->shown->len == PROBLEMS_SHOWN;
}

static int problem_compare(const void *a, const void *b)
{
    const Problem *first = a, *second = b;
    if (first->line != second->line)
        return first->line < second->line ? -1 : 1;
    if (first->column != second->column)
        return first->column < second->column ? -1 : 1;
    return 0;
}

bool problems_none(Problems *problems, const char *name, GError **error)
{
    if (problems->count == 0)
        return true;
    g_array_sort(problems->shown, problem_compare);
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint i = 0; i < problems->shown->len; i++) {
        const Problem *problem = &g_array_index(problems->shown, Problem, i);
        g_string_append_printf(text, "%s%s:%u:%u: %s", i > 0 ? "\n" : "", name, problem->line,
                               problem->column, problem->message);
    }
    if (problems->count > problems->shown->len)
        g_string_append_printf(text, "\n... and %u more", problems->count - problems->shown->len);
    g_set_error_literal(error, DROVER_ERROR, DROVER_ERROR_USAGE, text->str);
    return false;
}

char *problems_quote(const char *text)
{
    enum { LONGEST = 60 };
    GString *quoted = g_string_new(NULL);
    const char *at = text;
    for (int n = 0; *at != '\0' && n < LONGEST; n++, at = g_utf8_next_char(at)) {
        gunichar c = g_utf8_get_char(at);
        g_string_append_unichar(quoted, g_unichar_isprint(c) ? c : '?');
    }
    if (*at != '\0')
        g_string_append(quoted, "...");
    return g_string_free(quoted, FALSE);
}
