#include "deploy/document.h"

#include <string.h>

typedef struct Scan {
    Problems *problems;
    guint depth;
    guint documents;
    bool has_root;
    bool stop; /* nothing after this point is worth reading */
} Scan;

/* Line and column of a byte; columns count characters, as libyaml does. */
static void locate(const char *text, gsize offset, guint *line, guint *column)
{
    *line = 1;
    *column = 1;
    for (gsize i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            (*line)++;
            *column = 1;
        } else if (((guchar)text[i] & 0xC0) != 0x80) {
            (*column)++;
        }
    }
}

static bool check_bytes(const char *text, gsize size, Problems *problems)
{
    guint line, column;
    if (size > DOCUMENT_MAX_SIZE) {
        problems_add(problems, 1, 1, "the file is too large: more than 1 MiB");
        return false;
    }
    const char *nul = size > 0 ? memchr(text, '\0', size) : NULL;
    if (nul != NULL) {
        locate(text, (gsize)(nul - text), &line, &column);
        problems_add(problems, line, column, "a NUL byte: this is no text file");
        return false;
    }
    const char *end = NULL;
    if (!g_utf8_validate_len(text, size, &end)) {
        locate(text, (gsize)(end - text), &line, &column);
        problems_add(problems, line, column, "not UTF-8: save the file as UTF-8");
        return false;
    }
    return true;
}

static void add_yaml_problem(const yaml_parser_t *parser, const char *text, gsize size,
                             Problems *problems)
{
    const char *problem = parser->problem != NULL ? parser->problem : "it cannot be read";
    guint line = (guint)parser->problem_mark.line + 1;
    guint column = (guint)parser->problem_mark.column + 1;
    if (parser->error == YAML_READER_ERROR)
        locate(text, MIN(parser->problem_offset, size), &line, &column);
    if (parser->context != NULL && strcmp(parser->context, "while scanning an alias") == 0)
        problems_add(problems, (guint)parser->context_mark.line + 1,
                     (guint)parser->context_mark.column + 1,
                     "text that begins with '*' must stand in quotes");
    else if (parser->context != NULL)
        problems_add(problems, line, column, "not valid YAML: %s (line %zu), %s", parser->context,
                     parser->context_mark.line + 1, problem);
    else
        problems_add(problems, line, column, "not valid YAML: %s", problem);
}

static void refuse(Scan *scan, const yaml_event_t *event, const char *message)
{
    problems_add(scan->problems, (guint)event->start_mark.line + 1,
                 (guint)event->start_mark.column + 1, "%s", message);
}

static void scan_node(Scan *scan, const yaml_event_t *event, bool anchor, bool tag)
{
    scan->has_root = true;
    if (anchor)
        refuse(scan, event, "anchors are not allowed: write the value out");
    if (tag)
        refuse(scan, event, "tags are not allowed: put text in quotes instead");
}

static void scan_enter(Scan *scan, const yaml_event_t *event)
{
    if (++scan->depth <= DOCUMENT_MAX_DEPTH)
        return;
    refuse(scan, event, "nested too deep: more than 12 levels");
    scan->stop = true;
}

static void scan_document(Scan *scan, const yaml_event_t *event)
{
    if (++scan->documents > 1) {
        refuse(scan, event, "a second document: a migration file is one document");
        scan->stop = true;
    }
    if (event->data.document_start.tag_directives.start !=
        event->data.document_start.tag_directives.end)
        refuse(scan, event, "tags are not allowed: remove the %TAG directive");
}

static void scan_event(Scan *scan, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        scan_document(scan, event);
        break;
    case YAML_ALIAS_EVENT:
        scan->has_root = true;
        refuse(scan, event,
               "aliases are not allowed: text that begins with '*' must stand in quotes");
        break;
    case YAML_SCALAR_EVENT:
        scan_node(scan, event, event->data.scalar.anchor != NULL,
                  event->data.scalar.tag != NULL ||
                      (event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                       !event->data.scalar.plain_implicit));
        break;
    case YAML_SEQUENCE_START_EVENT:
        scan_node(scan, event, event->data.sequence_start.anchor != NULL,
                  event->data.sequence_start.tag != NULL);
        scan_enter(scan, event);
        break;
    case YAML_MAPPING_START_EVENT:
        scan_node(scan, event, event->data.mapping_start.anchor != NULL,
                  event->data.mapping_start.tag != NULL);
        scan_enter(scan, event);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        scan->depth--;
        break;
    case YAML_STREAM_END_EVENT:
        scan->stop = true;
        break;
    default:
        break;
    }
}

static void parser_start(yaml_parser_t *parser, const char *text, gsize size)
{
    if (!yaml_parser_initialize(parser))
        g_error("libyaml: out of memory");
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(parser, (const unsigned char *)text, size);
}

static void scan_text(const char *text, gsize size, Problems *problems)
{
    Scan scan = {.problems = problems};
    yaml_parser_t parser;
    parser_start(&parser, text, size);
    while (!scan.stop) {
        yaml_event_t event;
        if (!yaml_parser_parse(&parser, &event)) {
            add_yaml_problem(&parser, text, size, problems);
            break;
        }
        scan_event(&scan, &event);
        yaml_event_delete(&event);
    }
    if (!scan.has_root && problems_count(problems) == 0)
        problems_add(problems, 1, 1, "the file is empty");
    yaml_parser_delete(&parser);
}

bool document_load(const char *text, gsize size, Problems *problems, yaml_document_t *document)
{
    guint before = problems_count(problems);
    if (!check_bytes(text, size, problems))
        return false;
    scan_text(text, size, problems);
    if (problems_count(problems) > before)
        return false;
    yaml_parser_t parser;
    parser_start(&parser, text, size);
    bool loaded = yaml_parser_load(&parser, document) != 0;
    if (!loaded)
        add_yaml_problem(&parser, text, size, problems);
    yaml_parser_delete(&parser);
    return loaded;
}
