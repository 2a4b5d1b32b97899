#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/binlog_golden.h"

#include <string.h>
#include <zlib.h>

const char *const golden_names[] = {
    "mysql_events",  "mysql_types", "mysql_minimal", "mariadb_events", "mariadb_types",
    "mariadb_nolog", NULL};

static void free_bytes(gpointer bytes)
{
    g_bytes_unref(bytes);
}

static void clear_cell(gpointer cell)
{
    g_clear_pointer(&((GoldenCell *)cell)->text, g_bytes_unref);
}

static GBytes *bytes_of_hex(const char *hex)
{
    gsize size = strlen(hex) / 2;
    guint8 *bytes = g_malloc(size + 1);
    for (gsize i = 0; i < size; i++)
        bytes[i] =
            (guint8)(g_ascii_xdigit_value(hex[2 * i]) * 16 + g_ascii_xdigit_value(hex[2 * i + 1]));
    return g_bytes_new_take(bytes, size);
}

static void read_line(Golden *golden, const char *line)
{
    g_auto(GStrv) words = g_strsplit(line, " ", -1);
    if (g_strv_length(words) == 2 && strcmp(words[0], "event") == 0) {
        g_ptr_array_add(golden->events, bytes_of_hex(words[1]));
    } else if (g_strv_length(words) == 4 && strcmp(words[0], "cell") == 0) {
        GoldenCell cell = {.row = (guint)g_ascii_strtoull(words[1], NULL, 10),
                           .column = (guint)g_ascii_strtoull(words[2], NULL, 10)};
        if (strcmp(words[3], "null") != 0)
            cell.text = bytes_of_hex(strcmp(words[3], "-") == 0 ? "" : words[3]);
        g_array_append_val(golden->cells, cell);
    } else if (line[0]) {
        fail_msg("a golden file has the line: %.60s", line);
    }
}

Golden *golden_load(const char *name)
{
    g_autofree char *path = g_strdup_printf("%s/golden/binlog/%s.txt", DROVER_TESTS_FOLDER, name);
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, NULL))
        fail_msg("%s cannot be read", path);
    Golden *golden = g_new0(Golden, 1);
    golden->events = g_ptr_array_new_with_free_func(free_bytes);
    golden->cells = g_array_new(false, false, sizeof(GoldenCell));
    g_array_set_clear_func(golden->cells, clear_cell);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++)
        read_line(golden, lines[i]);
    return golden;
}

void golden_free(Golden *golden)
{
    g_ptr_array_unref(golden->events);
    g_array_unref(golden->cells);
    g_free(golden);
}

const GoldenCell *golden_cell(const Golden *golden, guint row, guint column)
{
    for (guint i = 0; i < golden->cells->len; i++) {
        const GoldenCell *cell = &g_array_index(golden->cells, GoldenCell, i);
        if (cell->row == row && cell->column == column)
            return cell;
    }
    fail_msg("no golden cell for row %u, column %u", row, column);
    return NULL;
}

GBytes *golden_cut(GBytes *event, gsize size, bool checksum)
{
    gsize whole = GOLDEN_HEADER + size + (checksum ? 4 : 0);
    guint8 *cut = g_malloc(whole);
    memcpy(cut, g_bytes_get_data(event, NULL), GOLDEN_HEADER + size);
    guint32 total = GUINT32_TO_LE((guint32)whole);
    memcpy(cut + 9, &total, sizeof total);
    if (checksum) {
        guint32 sum = GUINT32_TO_LE((guint32)crc32_z(0, cut, whole - 4));
        memcpy(cut + whole - 4, &sum, sizeof sum);
    }
    return g_bytes_new_take(cut, whole);
}
