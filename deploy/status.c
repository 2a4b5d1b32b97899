#include "deploy/status.h"

#include "deploy/bus_owner.h"
#include "deploy/stored.h"
#include "deploy/text.h"
#include "schema/sql/embedded.h"

#include <string.h>

static void status_table_free(StatusTable *table)
{
    g_free(table->source);
    g_free(table->target);
    g_free(table->state);
    g_free(table->in_doubt);
    g_free(table->verify_state);
    g_free(table);
}

static void status_role_free(StatusRole *role)
{
    g_free(role->role);
    g_free(role->holder);
    g_free(role->since);
    g_free(role);
}

void status_free(Status *status)
{
    if (status == NULL)
        return;
    g_free(status->migration);
    g_free(status->phase);
    g_clear_pointer(&status->tables, g_ptr_array_unref);
    g_clear_pointer(&status->roles, g_ptr_array_unref);
    g_free(status->capture_position);
    g_free(status->apply_position);
    g_free(status->source_head);
    g_free(status);
}

/* --- Reading ---------------------------------------------------------------------------------- */

static gint64 integer_at(const Answer *answer, guint row, guint column)
{
    const char *text = answer_get(answer, row, column);
    return text != NULL ? g_ascii_strtoll(text, NULL, 10) : 0;
}

/* The columns of schema/sql/status_tables.sql. */
static StatusTable *read_table(const Answer *answer, guint row)
{
    StatusTable *table = g_new0(StatusTable, 1);
    gint64 *const numbers[] = {&table->rows_copied,  &table->rows_total, &table->chunks_done,
                               &table->chunks_total, &table->captured,   &table->applied,
                               &table->filtered,     &table->superseded, &table->rejected,
                               &table->refetched};

    table->source =
        g_strdup_printf("%s.%s", answer_get(answer, row, 1), answer_get(answer, row, 2));
    table->target =
        g_strdup_printf("%s.%s", answer_get(answer, row, 3), answer_get(answer, row, 4));
    table->state = g_strdup(answer_get(answer, row, 5));
    for (guint i = 0; i < G_N_ELEMENTS(numbers); i++)
        *numbers[i] = integer_at(answer, row, 6 + i);
    table->in_doubt = g_strdup(answer_get(answer, row, 16));
    table->verify_state = g_strdup(answer_get(answer, row, 17));
    table->differences = integer_at(answer, row, 18);
    table->backlog = integer_at(answer, row, 19);
    bool copied = table->chunks_total > 0 && table->chunks_done == table->chunks_total;
    table->rows_total = copied ? table->rows_copied : MAX(table->rows_total, table->rows_copied);
    return table;
}

static bool read_tables(Control *control, Status *status, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_status_tables, 1, values, error);

    if (answer == NULL)
        return false;
    for (guint i = 0; i < answer->n_rows; i++)
        g_ptr_array_add(status->tables, read_table(answer, i));
    return true;
}

static bool read_epoch(Control *control, Status *status, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(
        control->target, "select epoch from drover.lease where migration = $1 and role = 'apply'",
        1, values, error);

    if (answer == NULL)
        return false;
    if (answer->n_rows == 1)
        status->apply_epoch = integer_at(answer, 0, 0);
    return true;
}

/* A session that has just got a lock, and no lease yet, is nobody so far. */
static bool read_roles(const Context *context, Status *status, GError **error)
{
    const char *const names[] = {role_name(ROLE_CAPTURE), role_name(ROLE_COPY),
                                 role_name(ROLE_APPLY), NULL};
    g_autoptr(Answer) answer =
        context->target->role_holders(context->session, context->migration, names, error);

    if (answer == NULL)
        return false;
    for (guint i = 0; i < answer->n_rows; i++) {
        if (answer_get(answer, i, 1) == NULL)
            continue;
        StatusRole *role = g_new0(StatusRole, 1);
        role->role = g_strdup(answer_get(answer, i, 0));
        role->holder = g_strdup(answer_get(answer, i, 1));
        role->since = g_strdup(answer_get(answer, i, 2));
        role->epoch = integer_at(answer, i, 3);
        g_ptr_array_add(status->roles, role);
    }
    return true;
}

static char *position_text(Position position)
{
    char text[POSITION_TEXT_SIZE];
    return position_is_zero(position) ? NULL : g_strdup(position_format(position, text));
}

static double seconds_between(gint64 earlier, gint64 later)
{
    return later > earlier ? (double)(later - earlier) / G_USEC_PER_SEC : 0;
}

/* A source that cannot be reached is no failure of `status`. */
static bool read_source(const Context *context, SourceStatus *source)
{
    g_autofree char *label = context_label(context, "status");
    g_autoptr(GError) problem = NULL;
    Source *session = context->source->connect(context->migration->source, label, &problem);
    bool known = session != NULL &&
                 context->source->status(session, context->migration, false, source, &problem);

    if (session != NULL)
        context->source->close(session);
    if (!known)
        g_warning("the source's part is missing: %s", problem->message);
    return known;
}

/* Nor is a bus that cannot be read from here. */
static bool read_bus(const Context *context, const Stored *stored, BusLook *look)
{
    g_autoptr(GError) problem = NULL;
    if (bus_owner_look(context->bus, &context->migration->bus, stored->bus_uuid, look, &problem))
        return true;
    g_warning("the bus's part is missing: %s", problem->message);
    return false;
}

static void add_source(const Context *context, const Progress *progress, const BusLook *bus,
                       Status *status)
{
    SourceStatus source = {0};

    if (!read_source(context, &source))
        return;
    status->source_head = position_text(source.head);
    status->capture_position =
        position_text(status->has_slot ? source.acknowledged : bus->position);
    status->retained_bytes = source.retained_bytes;
    status->slot_lost = source.slot_lost;
    if (!position_is_zero(progress->position))
        status->lag_bytes = position_distance(progress->position, source.head);
    if (progress->commit_time != 0)
        status->apply_lag_seconds = seconds_between(progress->commit_time, source.time);
    if (bus->source_time != 0)
        status->capture_lag_seconds = seconds_between(bus->source_time, source.time);
    g_free(source.identity);
}

static Status *status_new(const Context *context, const Stored *stored)
{
    Status *status = g_new0(Status, 1);

    status->migration = g_strdup(context->migration->name);
    status->phase = g_strdup(stored->phase);
    status->paused = stored->paused;
    status->tables = g_ptr_array_new_with_free_func((GDestroyNotify)status_table_free);
    status->roles = g_ptr_array_new_with_free_func((GDestroyNotify)status_role_free);
    status->capture_lag_seconds = status->apply_lag_seconds = -1;
    status->lag_bytes = status->apply_epoch = status->retained_bytes = status->bus_bytes = -1;
    status->bus_kind = context->bus->kind;
    status->has_slot = migration_has_slot(context->migration);
    return status;
}

Status *status_read(Context *context, GError **error)
{
    Control *control = &context->control;
    g_autoptr(Stored) stored = stored_find(control, error);
    Progress progress;
    BusLook bus = {0};

    if (stored == NULL || !stored_fill(stored, context->migration, error))
        return NULL;
    g_autoptr(Status) status = status_new(context, stored);
    if (!read_tables(control, status, error) || !read_epoch(control, status, error) ||
        !read_roles(context, status, error) ||
        !control_progress_get(control, "apply", &progress, error))
        return NULL;
    status->apply_position = position_text(progress.position);
    if (stored->bus_uuid != NULL && read_bus(context, stored, &bus))
        status->bus_bytes = (gint64)bus.bytes;
    if (stored->slot != NULL)
        add_source(context, &progress, &bus, status);
    return g_steal_pointer(&status);
}

/* --- Sums ------------------------------------------------------------------------------------- */

bool status_table_adds_up(const StatusTable *table)
{
    return table->captured == table->applied + table->filtered + table->superseded +
                                  table->rejected + table->refetched;
}

gint64 status_rejects(const Status *status)
{
    gint64 rejects = 0;
    for (guint i = 0; i < status->tables->len; i++)
        rejects += ((const StatusTable *)g_ptr_array_index(status->tables, i))->rejected;
    return rejects;
}

/* The gravest of all tables; NULL where none was verified. */
const char *status_verify_state(const Status *status)
{
    static const char *const states[] = {"running", "different", "unproven", "equal"};
    guint gravest = G_N_ELEMENTS(states);

    for (guint i = 0; i < status->tables->len; i++) {
        const StatusTable *table = g_ptr_array_index(status->tables, i);
        for (guint s = 0; s < gravest; s++)
            if (g_strcmp0(table->verify_state, states[s]) == 0)
                gravest = s;
    }
    return gravest < G_N_ELEMENTS(states) ? states[gravest] : NULL;
}

static void sum_verify(const Status *status, gint64 *differences, gint64 *backlog)
{
    *differences = *backlog = 0;
    for (guint i = 0; i < status->tables->len; i++) {
        const StatusTable *table = g_ptr_array_index(status->tables, i);
        *differences += table->differences;
        *backlog += table->backlog;
    }
}

static bool all_add_up(const Status *status)
{
    for (guint i = 0; i < status->tables->len; i++)
        if (!status_table_adds_up(g_ptr_array_index(status->tables, i)))
            return false;
    return true;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *number_or_null(gint64 number)
{
    return number < 0 ? json_null() : json_integer(number);
}

static json_t *seconds_or_null(double seconds)
{
    return seconds < 0 ? json_null() : json_real(seconds);
}

static json_t *table_json(const StatusTable *table)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:s?}",
                     "source", table->source, "target", table->target, "state", table->state,
                     "rows_copied", (json_int_t)table->rows_copied, "rows_total",
                     (json_int_t)table->rows_total, "chunks_done", (json_int_t)table->chunks_done,
                     "chunks_total", (json_int_t)table->chunks_total, "captured",
                     (json_int_t)table->captured, "applied", (json_int_t)table->applied, "filtered",
                     (json_int_t)table->filtered, "superseded", (json_int_t)table->superseded,
                     "rejected", (json_int_t)table->rejected, "refetched",
                     (json_int_t)table->refetched, "in_doubt", table->in_doubt);
}

static json_t *roles_json(const Status *status)
{
    json_t *list = json_array();

    for (guint i = 0; i < status->roles->len; i++) {
        const StatusRole *role = g_ptr_array_index(status->roles, i);
        json_array_append_new(list, json_pack("{s:s, s:s, s:s?, s:I}", "role", role->role, "holder",
                                              role->holder, "since", role->since, "epoch",
                                              (json_int_t)role->epoch));
    }
    return list;
}

json_t *status_json(const Status *status)
{
    json_t *tables = json_array();
    gint64 differences, backlog;

    for (guint i = 0; i < status->tables->len; i++)
        json_array_append_new(tables, table_json(g_ptr_array_index(status->tables, i)));
    sum_verify(status, &differences, &backlog);
    return json_pack(
        "{s:s, s:s, s:o, s:{s:s?, s:o}, s:{s:s?, s:o, s:o, s:o}, s:{s:s?, s:o, s:b}, s:{s:s, s:o}, "
        "s:b, s:I, s:{s:s?, s:I, s:I}, s:b, s:o}",
        "migration", status->migration, "phase", status->phase, "tables", tables, "capture",
        "position", status->capture_position, "lag_seconds",
        seconds_or_null(status->capture_lag_seconds), "apply", "position", status->apply_position,
        "lag_bytes", number_or_null(status->lag_bytes), "lag_seconds",
        seconds_or_null(status->apply_lag_seconds), "epoch", number_or_null(status->apply_epoch),
        "source", "head", status->source_head, "retained_bytes",
        number_or_null(status->retained_bytes), "slot_lost", status->slot_lost, "bus", "kind",
        status->bus_kind, "bytes", number_or_null(status->bus_bytes), "paused", status->paused,
        "rejects", (json_int_t)status_rejects(status), "verify", "state",
        status_verify_state(status), "differences", (json_int_t)differences, "backlog",
        (json_int_t)backlog, "accounts_add_up", all_add_up(status), "roles", roles_json(status));
}

/* --- Text ------------------------------------------------------------------------------------- */

static const char *or_unknown(const char *text)
{
    return text != NULL ? text : "?";
}

static void print_roles(const Status *status, FILE *out)
{
    const char *before = NULL;

    for (guint i = 0; i < status->roles->len; i++) {
        const StatusRole *role = g_ptr_array_index(status->roles, i);
        bool same = g_strcmp0(role->role, before) == 0;
        fprintf(out, "%s%s%s%s",
                before == NULL ? "  running  "
                : same         ? ", "
                               : "; ",
                same ? "" : role->role, same ? "" : " by ", role->holder);
        before = role->role;
    }
    fputs(before == NULL ? "  running  nothing\n" : "\n", out);
}

static void print_source(const Status *status, FILE *out)
{
    g_autofree char *retained = text_bytes(status->retained_bytes);

    if (status->has_slot)
        fprintf(out, "  source   %s, keeps %s of its log for the slot%s\n",
                or_unknown(status->source_head), retained,
                status->slot_lost ? "; THE SLOT IS LOST" : "");
    else
        fprintf(out, "  source   %s, keeps its log as its own settings say%s\n",
                or_unknown(status->source_head),
                status->slot_lost ? "; WHAT IS NEEDED OF IT IS GONE" : "");
}

static void print_sides(const Status *status, FILE *out)
{
    g_autofree char *capture_lag = text_duration(status->capture_lag_seconds);
    g_autofree char *lag_bytes = text_bytes(status->lag_bytes);
    g_autofree char *apply_lag = text_duration(status->apply_lag_seconds);
    g_autofree char *bus = text_bytes(status->bus_bytes);

    fprintf(out, "%s: %s%s\n", status->migration, status->phase,
            status->paused ? ", paused (copy and apply stand still)" : "");
    print_roles(status, out);
    print_source(status, out);
    fprintf(out, "  capture  %s, lag %s\n", or_unknown(status->capture_position), capture_lag);
    fprintf(out, "  bus      %s, %s\n", status->bus_kind, bus);
    fprintf(out, "  apply    %s, lag %s, %s, epoch %" G_GINT64_FORMAT "\n",
            or_unknown(status->apply_position), lag_bytes, apply_lag, MAX(status->apply_epoch, 0));
}

static void print_verify(const Status *status, FILE *out)
{
    gint64 differences, backlog;
    const char *state = status_verify_state(status);

    sum_verify(status, &differences, &backlog);
    if (state == NULL)
        fputs("  verify   not done so far\n", out);
    else
        fprintf(out,
                "  verify   %s, %" G_GINT64_FORMAT " differences, %" G_GINT64_FORMAT
                " keys to look at again\n",
                state, differences, backlog);
    fprintf(out, "  events   accounts %s\n",
            all_add_up(status) ? "add up" : "DO NOT ADD UP: see the table");
}

static void print_tables(const Status *status, FILE *out)
{
    g_autoptr(TextTable) text = text_table_new(11);

    text_table_row(text, "TABLE", "STATE", "COPIED", "OF", "CHUNKS", "CAPTURED", "APPLIED",
                   "SUPERSEDED", "FILTERED", "REJECTED", "REFETCHED");
    for (guint i = 0; i < status->tables->len; i++) {
        const StatusTable *table = g_ptr_array_index(status->tables, i);
        const gint64 numbers[] = {table->rows_copied, table->rows_total, table->captured,
                                  table->applied,     table->superseded, table->filtered,
                                  table->rejected,    table->refetched};
        char *cells[G_N_ELEMENTS(numbers)];
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++)
            cells[n] = text_count(numbers[n]);
        g_autofree char *chunks = g_strdup_printf("%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT,
                                                  table->chunks_done, table->chunks_total);
        text_table_row(text, table->source, table->state, cells[0], cells[1], chunks, cells[2],
                       cells[3], cells[4], cells[5], cells[6], cells[7]);
        for (guint n = 0; n < G_N_ELEMENTS(numbers); n++)
            g_free(cells[n]);
    }
    text_table_print(text, out);
}

void status_print(const Status *status, FILE *out)
{
    print_sides(status, out);
    print_verify(status, out);
    print_tables(status, out);
    for (guint i = 0; i < status->tables->len; i++) {
        const StatusTable *table = g_ptr_array_index(status->tables, i);
        if (table->in_doubt != NULL)
            fprintf(out, "  in doubt: %s: %s\n", table->source, table->in_doubt);
    }
}
