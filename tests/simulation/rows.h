/*
 * Rows: the tables of the simulation, and their rows as a few small numbers: which table, which of
 * its few keys, and a number a cell. On the way through drover they are texts.
 */
#pragma once

#include "proto/value.h"
#include "schema/table.h"

#include <glib.h>
#include <stdbool.h>

#define SIM_TABLES 3
#define SIM_KEYS 6  /* of each table; their numbers stand in the order of their texts */
#define SIM_CELLS 3 /* most cells of a row besides its key */
#define SIM_ROWS (SIM_TABLES * SIM_KEYS)
#define MOST_COLUMNS (SIM_CELLS + 2)

/* All rows of all tables, by one number. */
static inline guint row_at(guint table, guint key)
{
    return table * SIM_KEYS + key;
}

/* What the cells of a table are for. Cell 0 is the version of its row: a number that no other row
 * ever had, higher than that of any row that was written before. */
typedef enum { CELL_OF_VERSION, CELL_OF_NULLABLE, CELL_OF_TOAST, CELL_OF_NOTHING } CellUse;

typedef struct Image {
    bool there;
    guint32 cells[SIM_CELLS]; /* 0: null */
} Image;

/* Table, array of Table *, as Migration.tables. */
GPtrArray *rows_tables_new(void);
/* Some keys are busier than others. */
guint rows_pick_key(void);
CellUse rows_cell_use(guint table, guint cell);
bool image_equal(guint table, const Image *a, const Image *b);

/* Room for the texts of one row or key. */
typedef struct RowTexts {
    Row row;
    Cell cells[MOST_COLUMNS];
    char texts[MOST_COLUMNS][12];
} RowTexts;

/* unchanged: bits of cells that the log does not carry. */
void rows_fill(RowTexts *texts, guint table, guint key, const Image *image, guint unchanged);
void rows_fill_key(RowTexts *texts, guint table, guint key);

/* The key of a row that has only the key's cells, or of one that has all; fails the run where it is
 * none. */
guint rows_key_of(guint table, const Row *key);
guint rows_key_of_row(guint table, const Row *row);
/* Cells that are unchanged get the values of `under`. */
Image rows_image_of(guint table, const Row *row, const Image *under);
guint rows_unchanged_of(guint table, const Row *row);

/* A key as the bounds of a range have it: texts (g_strfreev), and back. */
char **rows_bound(guint table, guint key);
guint rows_key_of_bound(guint table, char *const *bound);

/* "t2[5] v=17 t=3 t=-" for the trace. Writes into text and returns it. */
#define IMAGE_TEXT_SIZE 96
char *rows_describe(guint table, guint key, const Image *image, char *text);
