#include "capture/mysql/decode.h"

#include "capture/mysql/canonical.h"
#include "capture/mysql/column_special.h"
#include "schema/mysql/zero_date.h"

#include <string.h>

#define MOST_CHANGES 3 /* that one row can become */

struct MysqlDecode {
    bool mariadb;
    BinlogRowReader *reader;
    const BinlogEvent *event;
    const MysqlRelation *relation;
    GByteArray *bytes;            /* of the cells of one row */
    GArray *offsets;              /* gsize a cell of row and old key: where in bytes */
    GArray *row;                  /* Cell, in the order of the table's columns */
    GArray *old_key;              /* Cell */
    GArray *new_key;              /* Cell */
    Change changes[MOST_CHANGES]; /* of the row */
    guint n_changes;
    guint next;
};

MysqlDecode *mysql_decode_new(bool mariadb)
{
    MysqlDecode *decode = g_new0(MysqlDecode, 1);
    decode->mariadb = mariadb;
    decode->reader = binlog_row_reader_new();
    decode->bytes = g_byte_array_new();
    decode->offsets = g_array_new(false, false, sizeof(gsize));
    decode->row = g_array_new(false, false, sizeof(Cell));
    decode->old_key = g_array_new(false, false, sizeof(Cell));
    decode->new_key = g_array_new(false, false, sizeof(Cell));
    return decode;
}

void mysql_decode_free(MysqlDecode *decode)
{
    if (!decode)
        return;
    binlog_row_reader_free(decode->reader);
    g_byte_array_unref(decode->bytes);
    g_array_unref(decode->offsets);
    g_array_unref(decode->row);
    g_array_unref(decode->old_key);
    g_array_unref(decode->new_key);
    g_free(decode);
}

void mysql_decode_start(MysqlDecode *decode, const BinlogEvent *event,
                        const MysqlRelation *relation)
{
    const Table *table = relation->table;
    decode->event = event;
    decode->relation = relation;
    decode->n_changes = decode->next = 0;
    g_array_set_size(decode->offsets, table->n_columns + table->n_key);
    g_array_set_size(decode->row, table->n_columns);
    g_array_set_size(decode->old_key, table->n_key);
    g_array_set_size(decode->new_key, table->n_key);
    binlog_row_reader_start(decode->reader, event);
}

/* ---- messages ---- */

static char *key_text(const MysqlDecode *decode, const BinlogRow *row)
{
    const MysqlRelation *relation = decode->relation;
    const BinlogValue *values = row->after ? row->after : row->before;
    GString *text = g_string_new("(");
    for (guint i = 0; i < relation->table->n_key; i++) {
        guint place = (guint)relation->places[relation->table->key[i]];
        const BinlogValue *value = &values[place];
        if (value->kind == BINLOG_VALUE_ABSENT && row->before)
            value = &row->before[place];
        g_autofree char *shown =
            mysql_value_text(&decode->event->rows.table->columns[place], value);
        g_string_append_printf(text, "%s%.100s", i > 0 ? ", " : "", shown);
    }
    g_string_append_c(text, ')');
    return g_string_free(text, false);
}

static bool fail_value(const MysqlDecode *decode, const BinlogRow *row, guint column,
                       GError *failure, GError **error)
{
    g_autofree char *key = key_text(decode, row);
    const Table *table = decode->relation->table;
    g_propagate_prefixed_error(
        error, failure, "source log at %s:%" G_GUINT64_FORMAT ": table %s, key %s, column \"%s\": ",
        decode->event->file, decode->event->position, table->label, key,
        table->columns[column].name);
    return false;
}

static bool fail_key(const MysqlDecode *decode, guint column, GError **error)
{
    const Table *table = decode->relation->table;
    return mysql_fail_at(decode->event, error,
                         "table %s: the row has no value for column \"%s\" of its key: with "
                         "binlog_row_image=MINIMAL or NOBLOB the log has the primary key alone; "
                         "set binlog_row_image=FULL for every session, then start the migration "
                         "over (drover drop, then run)",
                         table->label, table->columns[column].name);
}

/* ---- cells ---- */

static Cell *cells_of(GArray *array)
{
    return (Cell *)(void *)array->data;
}

static bool is_zero_date(const BinlogValue *value)
{
    if (value->kind == BINLOG_VALUE_TIMESTAMP)
        return value->integer == 0;
    return (value->kind == BINLOG_VALUE_DATE || value->kind == BINLOG_VALUE_DATETIME) &&
           mysql_time_has_zero(&value->time);
}

static bool put_zero_date(MysqlDecode *decode, guint column, const BinlogValue *value, bool *null,
                          GError **error)
{
    const MysqlRelation *relation = decode->relation;
    g_autofree char *text =
        mysql_value_text(&decode->event->rows.table->columns[relation->places[column]], value);
    return mysql_zero_date_append(relation->table, relation->table->columns[column].type_oid, text,
                                  decode->bytes, null, error);
}

/* The bytes of all values stand behind each other, and may move while more are added: their places
 * are kept until point_cells. */
static bool put_cell(MysqlDecode *decode, const BinlogRow *row, guint column,
                     const BinlogValue *value, const BinlogValue *before, Cell *cell, gsize *offset,
                     GError **error)
{
    guint place = (guint)decode->relation->places[column];
    GError *failure = NULL;
    *offset = decode->bytes->len;
    *cell = (Cell){.kind = CELL_NULL};
    if (value->kind == BINLOG_VALUE_NULL)
        return true;
    if (is_zero_date(value)) {
        bool null = false;
        if (!put_zero_date(decode, column, value, &null, &failure))
            return fail_value(decode, row, column, failure, error);
        if (null)
            return true;
    } else if (!mysql_special_append(decode->relation->meanings[place],
                                     &decode->event->rows.table->columns[place], value, before,
                                     decode->bytes, &failure)) {
        return fail_value(decode, row, column, failure, error);
    }
    cell->kind = CELL_VALUE;
    cell->length = decode->bytes->len - (guint32)*offset;
    return true;
}

static void point_cells(MysqlDecode *decode, Cell *cells, guint n, const gsize *offsets)
{
    for (guint i = 0; i < n; i++)
        if (cells[i].kind == CELL_VALUE)
            cells[i].data = decode->bytes->data + offsets[i];
}

static bool same_time(const MysqlTime *a, const MysqlTime *b)
{
    return a->negative == b->negative && a->year == b->year && a->month == b->month &&
           a->day == b->day && a->hour == b->hour && a->minute == b->minute &&
           a->second == b->second && a->microsecond == b->microsecond;
}

/* As it stands in the log: another value may still be the same in canonical form. */
static bool same_value(const BinlogValue *a, const BinlogValue *b)
{
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case BINLOG_VALUE_ABSENT:
    case BINLOG_VALUE_NULL:
        return true;
    case BINLOG_VALUE_INTEGER:
    case BINLOG_VALUE_ENUM:
    case BINLOG_VALUE_SET:
        return a->integer == b->integer;
    case BINLOG_VALUE_FLOAT:
    case BINLOG_VALUE_DOUBLE:
        return memcmp(&a->number, &b->number, sizeof a->number) == 0;
    case BINLOG_VALUE_DATE:
    case BINLOG_VALUE_TIME:
    case BINLOG_VALUE_DATETIME:
        return same_time(&a->time, &b->time);
    case BINLOG_VALUE_TIMESTAMP:
        return a->integer == b->integer && a->time.microsecond == b->time.microsecond;
    default:
        return a->size == b->size && (a->size == 0 || memcmp(a->data, b->data, a->size) == 0);
    }
}

/* ---- rows ---- */

/* A column that an insert leaves out has its default: null, or something that only the source
 * knows. MariaDB's catalog writes defaults as SQL, MySQL's as values. */
static bool default_is_null(const MysqlDecode *decode, const Column *column)
{
    return !column->not_null &&
           (!column->default_sql || (decode->mariadb && strcmp(column->default_sql, "NULL") == 0));
}

/* *partial: a cell is unchanged; *unknown: one has changed to a value that the log does not have.
 */
static bool fill_row(MysqlDecode *decode, const BinlogRow *row, bool *partial, bool *unknown,
                     GError **error)
{
    const MysqlRelation *relation = decode->relation;
    Cell *cells = cells_of(decode->row);
    gsize *offsets = (gsize *)(void *)decode->offsets->data;
    *partial = *unknown = false;
    for (guint i = 0; i < relation->table->n_columns; i++) {
        guint place = (guint)relation->places[i];
        const BinlogValue *value = &row->after[place];
        const BinlogValue *before = row->before ? &row->before[place] : NULL;
        if (value->kind == BINLOG_VALUE_ABSENT && before)
            value = before;
        bool lost = value->kind == BINLOG_VALUE_JSON_DIFF && before->kind != BINLOG_VALUE_JSON;
        *unknown |= lost;
        if (value->kind == BINLOG_VALUE_ABSENT && !before &&
            default_is_null(decode, &relation->table->columns[i])) {
            cells[i] = (Cell){.kind = CELL_NULL};
        } else if (value->kind == BINLOG_VALUE_ABSENT || lost) {
            cells[i] = (Cell){.kind = CELL_UNCHANGED};
            *partial = true;
        } else if (!put_cell(decode, row, i, value, before, &cells[i], &offsets[i], error)) {
            return false;
        }
    }
    return true;
}

/* changed NULL: always. */
static bool fill_old_key(MysqlDecode *decode, const BinlogRow *row, bool *changed, GError **error)
{
    const MysqlRelation *relation = decode->relation;
    const Table *table = relation->table;
    gsize *offsets = (gsize *)(void *)decode->offsets->data + table->n_columns;
    bool same = changed != NULL;
    for (guint i = 0; i < table->n_key; i++) {
        guint place = (guint)relation->places[table->key[i]];
        if (row->before[place].kind == BINLOG_VALUE_ABSENT)
            return fail_key(decode, table->key[i], error);
        same = same && (row->after[place].kind == BINLOG_VALUE_ABSENT ||
                        same_value(&row->before[place], &row->after[place]));
    }
    if (changed)
        *changed = !same;
    for (guint i = 0; !same && i < table->n_key; i++)
        if (!put_cell(decode, row, table->key[i], &row->before[relation->places[table->key[i]]],
                      NULL, &cells_of(decode->old_key)[i], &offsets[i], error))
            return false;
    return true;
}

static Row old_key_row(MysqlDecode *decode)
{
    return (Row){.cells = cells_of(decode->old_key), .n_cells = decode->old_key->len};
}

static void point_all(MysqlDecode *decode, bool has_row, bool has_key)
{
    const Table *table = decode->relation->table;
    const gsize *offsets = (const gsize *)(const void *)decode->offsets->data;
    if (has_row)
        point_cells(decode, cells_of(decode->row), table->n_columns, offsets);
    if (has_key)
        point_cells(decode, cells_of(decode->old_key), table->n_key, offsets + table->n_columns);
}

static Change *add_change(MysqlDecode *decode, Operation operation)
{
    const Table *table = decode->relation->table;
    Change *change = &decode->changes[decode->n_changes++];
    *change =
        (Change){.operation = operation, .table = table->id, .schema_version = table->version};
    if (operation != OPERATION_DELETE)
        change->row = (Row){.cells = cells_of(decode->row), .n_cells = table->n_columns};
    return change;
}

static void check_new_key(MysqlDecode *decode, Row *key)
{
    Row row = {.cells = cells_of(decode->row), .n_cells = decode->row->len};
    table_key_of(decode->relation->table, &row, cells_of(decode->new_key), key);
}

/* A key that the insert leaves out: what stands there is not known. */
static bool insert_has_key(MysqlDecode *decode, GError **error)
{
    Row key;
    check_new_key(decode, &key);
    for (guint i = 0; i < key.n_cells; i++)
        if (key.cells[i].kind != CELL_VALUE)
            return fail_key(decode, decode->relation->table->key[i], error);
    return true;
}

static bool take_insert(MysqlDecode *decode, const BinlogRow *row, GError **error)
{
    bool partial, unknown;
    if (!fill_row(decode, row, &partial, &unknown, error) || !insert_has_key(decode, error))
        return false;
    point_all(decode, true, false);
    /* over a row that is not there a partial image makes apply read it from the source */
    add_change(decode, partial ? OPERATION_UPDATE : OPERATION_INSERT);
    return true;
}

static bool take_update(MysqlDecode *decode, const BinlogRow *row, GError **error)
{
    bool partial, unknown, moved;
    Row key;
    if (!fill_old_key(decode, row, &moved, error) ||
        !fill_row(decode, row, &partial, &unknown, error))
        return false;
    point_all(decode, true, moved);
    check_new_key(decode, &key);
    Row old_key = old_key_row(decode);
    moved = moved && !row_equal(&old_key, &key);
    if (unknown) {
        /* what a delete has ended takes no cell from the target: the row is read from the source */
        if (moved)
            add_change(decode, OPERATION_DELETE)->old_key = old_key;
        add_change(decode, OPERATION_DELETE)->old_key = key;
    }
    Change *change = add_change(decode, OPERATION_UPDATE);
    if (moved && !unknown)
        change->old_key = old_key;
    return true;
}

static bool take_delete(MysqlDecode *decode, const BinlogRow *row, GError **error)
{
    if (!fill_old_key(decode, row, NULL, error))
        return false;
    point_all(decode, false, true);
    add_change(decode, OPERATION_DELETE)->old_key = old_key_row(decode);
    return true;
}

static bool take_row(MysqlDecode *decode, const BinlogRow *row, GError **error)
{
    decode->n_changes = decode->next = 0;
    g_byte_array_set_size(decode->bytes, 0);
    switch (row->operation) {
    case BINLOG_WRITE:
        return take_insert(decode, row, error);
    case BINLOG_UPDATE:
        return take_update(decode, row, error);
    case BINLOG_DELETE:
        return take_delete(decode, row, error);
    }
    return false;
}

BinlogRowResult mysql_decode_next(MysqlDecode *decode, Change *change, GError **error)
{
    BinlogRow row;
    if (decode->next == decode->n_changes) {
        BinlogRowResult result = binlog_row_reader_next(decode->reader, &row, error);
        if (result != BINLOG_ROW)
            return result;
        if (!take_row(decode, &row, error))
            return BINLOG_ROWS_FAILED;
    }
    *change = decode->changes[decode->next++];
    return BINLOG_ROW;
}
