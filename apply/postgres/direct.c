#include "apply/postgres/direct.h"

#include "apply/postgres/stage.h"

#include <string.h>

#define DIRECT_ROWS 128    /* a table: more are cheaper by the stage */
#define DIRECT_BYTES 65536 /* a table: libpq holds a parameter several times */
#define BYTEA_OID 17
#define FIRST_USER_OID 16384

/* What an answer of the pipeline belongs to. */
typedef struct Sent {
    NetRow *row;         /* NULL: of no row */
    bool must_find;      /* an update: the attempt ends where it changed no row */
    bool may_be_missing; /* an update of a partial row: it is missing where it changed no row */
} Sent;

typedef struct DirectTable {
    const Table *table;
    GArray *rows; /* StagedRow */
    StageCounts counts;
    const char *names[SQL_KINDS]; /* of the prepared statements that the rows need */
} DirectTable;

typedef struct Direct {
    Target *target;
    bool consistent;
    GArray *tables;      /* DirectTable */
    GArray *sent;        /* Sent, in the order of the answers */
    const char **values; /* room for the widest table's cells and a mask */
    int *lengths;
    int *formats;
    guint8 *mask;
} Direct;

static bool comes_from_other(const NetRow *row)
{
    return row->base_key.n_cells > 0 &&
           (row->kind == NET_INSERT || !row_equal(&row->key, &row->base_key));
}

bool direct_suits(const NetTable *net)
{
    if (net->n_rows > DIRECT_ROWS || net->table->replace_updates)
        return false;
    gsize bytes = 0;
    for (guint i = 0; i < net->n_rows; i++) {
        const NetRow *row = net->rows[i];
        bytes += row_bytes(&row->key) + row_bytes(&row->row);
        if (row->kind != NET_DELETE && comes_from_other(row))
            return false;
    }
    return bytes <= DIRECT_BYTES;
}

static void fill_types(const Table *table, SqlKind kind, Oid *types)
{
    guint n = kind == SQL_DIRECT_DELETE ? table->n_key : table->n_columns;
    for (guint i = 0; i < n; i++) {
        const Column *column = &table->columns[kind == SQL_DIRECT_DELETE ? table->key[i] : i];
        types[i] = column->type_oid < FIRST_USER_OID ? column->type_oid : 0;
    }
    types[n] = BYTEA_OID;
}

static int count_parameters(const Table *table, SqlKind kind)
{
    if (kind == SQL_DIRECT_DELETE)
        return (int)table->n_key;
    return (int)table->n_columns + (kind == SQL_DIRECT_UPDATE_PARTIAL ? 1 : 0);
}

static bool has_other_columns(const Table *table)
{
    return table->n_columns > table->n_key;
}

/* Until the target is consistent, and where there is nothing to set, a row may be absent. */
static bool may_be_absent(const Direct *direct, const Table *table)
{
    return !direct->consistent || !has_other_columns(table);
}

/* The statements that these rows need; the first time they cost a round trip each. */
static bool prepare_needed(Direct *direct, DirectTable *self, GError **error)
{
    const Table *table = self->table;
    const StageCounts *counts = &self->counts;
    const bool needed[SQL_KINDS] = {
        [SQL_DIRECT_DELETE] = counts->deletes > 0,
        [SQL_DIRECT_UPDATE] = counts->updates > counts->own_base && has_other_columns(table),
        [SQL_DIRECT_UPDATE_PARTIAL] = counts->own_base > 0,
        [SQL_DIRECT_INSERT] = counts->inserts > 0,
        [SQL_DIRECT_INSERT_ABSENT] = counts->updates > 0 && may_be_absent(direct, table),
    };
    Stage *stage = stage_get(direct->target, table);
    g_autofree Oid *types = g_new0(Oid, table->n_columns + 1);
    for (guint i = 0; i < SQL_KINDS; i++) {
        SqlKind kind = (SqlKind)i;
        if (!needed[kind])
            continue;
        fill_types(table, kind, types);
        self->names[kind] = target_prepare(direct->target, stage->sql.text[kind],
                                           count_parameters(table, kind), types, error);
        if (self->names[kind] == NULL)
            return false;
    }
    return true;
}

static void set_value(Direct *direct, guint i, const Cell *cell)
{
    bool present = cell->kind == CELL_VALUE;
    const char *data = cell->data != NULL ? (const char *)cell->data : "";
    direct->values[i] = present ? data : NULL;
    direct->lengths[i] = present ? (int)cell->length : 0;
}

static void set_values(Direct *direct, const Table *table, const NetRow *row)
{
    for (guint i = 0; i < table->n_columns; i++) {
        int place = table->columns[i].key_place;
        set_value(direct, i, place >= 0 ? &row->key.cells[place] : &row->row.cells[i]);
    }
}

static void set_mask(Direct *direct, const Row *row)
{
    guint bytes = (row->n_cells + 7) / 8;
    memset(direct->mask, 0, bytes);
    for (guint i = 0; i < row->n_cells; i++)
        if (row->cells[i].kind == CELL_UNCHANGED)
            direct->mask[i / 8] = (guint8)(direct->mask[i / 8] | 1u << i % 8);
    direct->values[row->n_cells] = (const char *)direct->mask;
    direct->lengths[row->n_cells] = (int)bytes;
}

static bool was_sent(Direct *direct, int sent_now, Sent sent, GError **error)
{
    if (sent_now != 1)
        return pg_fail(direct->target->connection, NULL, error);
    g_array_append_val(direct->sent, sent);
    return true;
}

static bool send_text(Direct *direct, const char *sql, GError **error)
{
    int sent = PQsendQueryParams(direct->target->connection, sql, 0, NULL, NULL, NULL, NULL, 0);
    return was_sent(direct, sent, (Sent){NULL, false, false}, error);
}

static bool send_prepared(Direct *direct, const DirectTable *self, SqlKind kind, Sent what,
                          GError **error)
{
    int sent = PQsendQueryPrepared(direct->target->connection, self->names[kind],
                                   count_parameters(self->table, kind), direct->values,
                                   direct->lengths, direct->formats, 0);
    return was_sent(direct, sent, what, error);
}

static bool send_delete(Direct *direct, const DirectTable *self, NetRow *row, GError **error)
{
    for (guint i = 0; i < self->table->n_key; i++)
        set_value(direct, i, &row->key.cells[i]);
    return send_prepared(direct, self, SQL_DIRECT_DELETE, (Sent){row, false, false}, error);
}

static bool send_update(Direct *direct, const DirectTable *self, const StagedRow *staged,
                        GError **error)
{
    NetRow *row = staged->row;
    bool absent = may_be_absent(direct, self->table);
    set_values(direct, self->table, row);
    if (staged->partial) {
        set_mask(direct, &row->row);
        return send_prepared(direct, self, SQL_DIRECT_UPDATE_PARTIAL, (Sent){row, false, true},
                             error);
    }
    if (has_other_columns(self->table) &&
        !send_prepared(direct, self, SQL_DIRECT_UPDATE, (Sent){row, !absent, false}, error))
        return false;
    return !absent ||
           send_prepared(direct, self, SQL_DIRECT_INSERT_ABSENT, (Sent){row, false, false}, error);
}

static bool send_row(Direct *direct, const DirectTable *self, const StagedRow *staged,
                     GError **error)
{
    if (staged->kind == 'd')
        return send_delete(direct, self, staged->row, error);
    if (staged->kind == 'u')
        return send_update(direct, self, staged, error);
    set_values(direct, self->table, staged->row);
    return send_prepared(direct, self, SQL_DIRECT_INSERT, (Sent){staged->row, false, false}, error);
}

/* Deletes, updates, inserts, in this order. */
static bool send_table(Direct *direct, const DirectTable *self, GError **error)
{
    for (const char *kind = "dui"; *kind != '\0'; kind++)
        for (guint i = 0; i < self->rows->len; i++) {
            const StagedRow *staged = &g_array_index(self->rows, StagedRow, i);
            if (staged->kind == *kind && !send_row(direct, self, staged, error))
                return false;
        }
    return true;
}

static bool send_all(Direct *direct, GError **error)
{
    if (!send_text(direct, TARGET_PLANS_BY_INDEX, error) ||
        !send_text(direct, "savepoint drover_direct", error))
        return false;
    for (guint i = 0; i < direct->tables->len; i++)
        if (!send_table(direct, &g_array_index(direct->tables, DirectTable, i), error))
            return false;
    if (PQpipelineSync(direct->target->connection) == 1)
        return true;
    return pg_fail(direct->target->connection, NULL, error);
}

/* False where the row was not found although it must be. */
static bool take_count(const Sent *sent, const char *count)
{
    bool nothing = strcmp(count, "0") == 0;
    if (sent->may_be_missing)
        sent->row->missing = nothing;
    return !(sent->must_find && nothing);
}

/* One answer for each statement sent. The first failure is told; what came after it was not carried
 * out. */
static bool receive_all(Direct *direct, bool *found, GError **error)
{
    PGconn *connection = direct->target->connection;
    for (guint i = 0; i < direct->sent->len; i++) {
        g_autoptr(PGresult) result = PQgetResult(connection);
        ExecStatusType status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
            return pg_fail(connection, result, error);
        PQclear(PQgetResult(connection)); /* NULL: the end of this statement's answer */
        if (!take_count(&g_array_index(direct->sent, Sent, i), PQcmdTuples(result)))
            *found = false;
    }
    return true;
}

/* Takes what is left up to the end of the pipeline, also after a failure. */
static void leave_pipeline(PGconn *connection)
{
    bool synced = false;
    for (int nothing = 0; !synced && nothing < 2 && PQstatus(connection) == CONNECTION_OK;) {
        g_autoptr(PGresult) result = PQgetResult(connection);
        nothing = result == NULL ? nothing + 1 : 0;
        synced = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    }
    PQexitPipelineMode(connection);
}

static bool exchange(Direct *direct, bool *found, GError **error)
{
    PGconn *connection = direct->target->connection;
    if (PQenterPipelineMode(connection) != 1)
        return pg_fail(connection, NULL, error);
    bool ok = send_all(direct, error) && receive_all(direct, found, error);
    leave_pipeline(connection);
    return ok;
}

/* Undoes the attempt: the rows are staged then. */
static bool undo(Direct *direct, GError **error)
{
    for (guint i = 0; i < direct->sent->len; i++) {
        const Sent *sent = &g_array_index(direct->sent, Sent, i);
        if (sent->row != NULL)
            sent->row->missing = false;
    }
    return target_run(direct->target,
                      "rollback to savepoint drover_direct; release savepoint drover_direct", NULL,
                      error);
}

/* The savepoint of a success is not released: that would cost a round trip, and the end of the
 * transaction does it. */
static bool attempt(Direct *direct, bool *done, GError **error)
{
    g_autoptr(GError) failure = NULL;
    bool found = true;
    *done = exchange(direct, &found, &failure) && found;
    if (*done)
        return true;
    if (failure == NULL || g_error_matches(failure, DROVER_ERROR, DROVER_ERROR_DATA))
        return undo(direct, error);
    g_propagate_error(error, g_steal_pointer(&failure));
    return false;
}

static void direct_table_clear(gpointer data)
{
    DirectTable *self = data;
    g_clear_pointer(&self->rows, g_array_unref);
}

static bool add_table(Direct *direct, const NetTable *net, GError **error)
{
    DirectTable self = {.table = net->table, .rows = g_array_new(FALSE, FALSE, sizeof(StagedRow))};
    bool ok = staged_classify(net, direct->consistent, self.rows, &self.counts, error);
    g_array_append_val(direct->tables, self);
    return ok &&
           prepare_needed(
               direct, &g_array_index(direct->tables, DirectTable, direct->tables->len - 1), error);
}

static void direct_init(Direct *direct, const GPtrArray *tables)
{
    guint room = 0;
    for (guint i = 0; i < tables->len; i++)
        room = MAX(room, ((const NetTable *)tables->pdata[i])->table->n_columns + 1);
    direct->tables = g_array_new(FALSE, FALSE, sizeof(DirectTable));
    g_array_set_clear_func(direct->tables, direct_table_clear);
    direct->sent = g_array_new(FALSE, FALSE, sizeof(Sent));
    direct->values = g_new0(const char *, room);
    direct->lengths = g_new0(int, room);
    direct->formats = g_new(int, room);
    direct->mask = g_new0(guint8, room / 8 + 1);
    for (guint i = 0; i < room; i++)
        direct->formats[i] = 1; /* binary */
}

static void direct_clear(Direct *direct)
{
    g_array_unref(direct->tables);
    g_array_unref(direct->sent);
    g_free(direct->values);
    g_free(direct->lengths);
    g_free(direct->formats);
    g_free(direct->mask);
}

bool direct_write(Target *target, const GPtrArray *tables, bool consistent, bool *done,
                  GError **error)
{
    Direct direct = {.target = target, .consistent = consistent};
    direct_init(&direct, tables);
    bool ok = true;
    for (guint i = 0; ok && i < tables->len; i++)
        ok = add_table(&direct, tables->pdata[i], error);
    ok = ok && attempt(&direct, done, error);
    direct_clear(&direct);
    return ok;
}
