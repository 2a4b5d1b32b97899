/*
 * Roles, epochs, data transactions, progress, accounts and lists of drover's control tables. The
 * statements with more than a line stand in schema/sql/.
 */
#include "schema/control.h"

#include "proto/error.h"
#include "schema/control_internal.h"
#include "schema/sql/embedded.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

bool control_run(Control *control, const char *sql, guint n, const char *const *values,
                 gint64 *affected, GError **error)
{
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, n, values, error);
    if (answer == NULL) {
        return false;
    }
    if (affected != NULL) {
        *affected = answer->affected;
    }
    return true;
}

static bool is_mysql(const TargetOps *ops)
{
    return strcmp(ops->engine, "mysql") == 0;
}

const char *control_sql(const TargetOps *ops, const char *sql, const char *mysql)
{
    return is_mysql(ops) ? mysql : sql;
}

bool control_is_mysql(const Control *control)
{
    return is_mysql(control->ops);
}

bool control_bool(const char *text)
{
    return text != NULL && (strcmp(text, "t") == 0 || strcmp(text, "1") == 0);
}

char *number_text(gint64 number, char *text)
{
    g_snprintf(text, NUMBER_TEXT_SIZE, "%" G_GINT64_FORMAT, number);
    return text;
}

bool number_read(const char *text, guint base, guint64 *number, GError **error)
{
    if (text != NULL && g_ascii_string_to_unsigned(text, base, 0, G_MAXUINT64, number, NULL)) {
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "drover's control tables in the target hold \"%s\" where a number is due",
                text == NULL ? "null" : text);
    return false;
}

bool position_read(const char *text, Position *position, GError **error)
{
    *position = (Position){0, 0};
    if (text == NULL || position_parse(text, position)) {
        return true;
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "drover's control tables in the target hold \"%s\" where a position is due", text);
    return false;
}

Answer *control_ask(Control *control, const char *sql, const char *mysql, guint n,
                    const char *const *values, GError **error)
{
    return control->ops->execute(control->target, control_sql(control->ops, sql, mysql), n, values,
                                 error);
}

Answer *control_lock_migration(Control *control, GError **error)
{
    const char *values[] = {control->migration->name};
    return control_ask(control, embedded_control_lock_migration,
                       embedded_control_lock_migration_mysql, 1, values, error);
}

static bool migration_missing(const Control *control, GError **error)
{
    g_set_error(
        error, DROVER_ERROR, DROVER_ERROR_NO,
        "the target has no migration \"%s\" in drover.migration; start it with `drover run`",
        control->migration->name);
    return false;
}

/* --- Roles ------------------------------------------------------------------------------------ */

/* Epochs of one migration are given one at a time. */
static bool lock_migration(Control *control, GError **error)
{
    g_autoptr(Answer) answer = control_lock_migration(control, error);
    if (answer == NULL) {
        return false;
    }
    return answer->n_rows == 1 || migration_missing(control, error);
}

char *control_holder(void)
{
    return g_strdup_printf("%s pid %d", g_get_host_name(), (int)getpid());
}

/* The answer of a statement that makes a lease is the new epoch. */
static Answer *make_lease(Control *control, RoleHold hold, const char *role, GError **error)
{
    g_autofree char *holder = control_holder();
    const char *values[] = {control->migration->name, role, holder};
    return hold == HOLD_ALONE ? control_ask(control, embedded_control_take_lease,
                                            embedded_control_take_lease_mysql, 3, values, error)
                              : control_ask(control, embedded_control_join_lease,
                                            embedded_control_join_lease_mysql, 3, values, error);
}

static bool take_lease(Control *control, RoleHold hold, const char *role, guint64 *epoch,
                       GError **error)
{
    g_autoptr(Answer) answer = make_lease(control, hold, role, error);
    if (answer == NULL) {
        return false;
    }
    return number_read(answer->n_rows == 1 ? answer_get(answer, 0, 0) : NULL, 10, epoch, error);
}

/* The lease comes first: the leases that go after it may have had the highest epoch so far. */
static bool take_alone(Control *control, const char *role, guint64 *epoch, GError **error)
{
    char number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, role, number};
    return take_lease(control, HOLD_ALONE, role, epoch, error) &&
           control_run(control, embedded_control_forget_sharers, 2, values, NULL, error) &&
           number_text((gint64)*epoch, number) != NULL &&
           control_run(control, embedded_control_give_epoch, 3, values, NULL, error);
}

static bool remove_worker(Control *control, const char *worker, GError **error)
{
    const char *values[] = {control->migration->name, worker};
    return control_run(control, "delete from drover.progress where migration = $1 and worker = $2",
                       2, values, NULL, error);
}

/* The rows of workers whose process has gone. */
static bool sweep_workers(Control *control, const char *role, GError **error)
{
    const char *values[] = {control->migration->name, role};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_idle_workers, 2, values, error);
    bool swept = answer != NULL;
    for (guint i = 0; swept && i < answer->n_rows; i++) {
        swept = remove_worker(control, answer_get(answer, i, 0), error);
    }
    return swept;
}

static bool take_beside(Control *control, const char *role, guint64 *epoch, GError **error)
{
    const char *values[] = {control->migration->name, role};
    return take_lease(control, HOLD_SHARED, role, epoch, error) &&
           control_run(control,
                       control_sql(control->ops, embedded_control_sweep_leases,
                                   embedded_control_sweep_leases_mysql),
                       2, values, NULL, error) &&
           sweep_workers(control, role, error);
}

static bool take_role(Control *control, const char *role, RoleHold hold, bool take_over,
                      guint64 *epoch, GError **error)
{
    if (!control->ops->lock_role(control->target, control->migration, role, hold, take_over,
                                 error)) {
        return false;
    }
    if (control_run(control, "begin", 0, NULL, NULL, error) && lock_migration(control, error) &&
        (hold == HOLD_ALONE ? take_alone : take_beside)(control, role, epoch, error) &&
        control_commit(control, error)) {
        return true;
    }
    g_prefix_error(error, "taking the role \"%s\" of migration \"%s\": ", role,
                   control->migration->name);
    control_rollback(control);
    return false;
}

bool control_take_role(Control *control, const char *role, bool take_over, guint64 *epoch,
                       GError **error)
{
    return take_role(control, role, HOLD_ALONE, take_over, epoch, error);
}

bool control_join_role(Control *control, const char *role, bool take_over, guint64 *epoch,
                       GError **error)
{
    return (!take_over || take_role(control, role, HOLD_ALONE, true, epoch, error)) &&
           take_role(control, role, HOLD_SHARED, false, epoch, error);
}

static bool taken_over(guint64 epoch, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "another drover has taken over this migration (epoch %" G_GUINT64_FORMAT
                " is no longer the highest)",
                epoch);
    return false;
}

/* Holds the leases that own the worker still, so that a take-over either sees the worker's new row
 * or is seen here. A sharer's own lease must be there: who takes the role alone removes it. */
static bool check_leases(Control *control, const char *worker, guint64 epoch, GError **error)
{
    g_autofree char *role = g_strndup(worker, strcspn(worker, "-"));
    g_autofree char *lease = g_strdup_printf("%s-%" G_GUINT64_FORMAT, role, epoch);
    gsize length = strlen(lease);
    bool missing = strncmp(worker, lease, length) == 0 && worker[length] == '-';
    const char *values[] = {control->migration->name, role, lease};
    g_autoptr(Answer) answer = control_ask(control, embedded_control_check_leases,
                                           embedded_control_check_leases_mysql, 3, values, error);
    if (answer == NULL) {
        return false;
    }
    for (guint i = 0; i < answer->n_rows; i++) {
        guint64 held;
        if (!number_read(answer_get(answer, i, 1), 10, &held, error)) {
            return false;
        }
        if (held > epoch) {
            return taken_over(epoch, error);
        }
        missing = missing && strcmp(answer_get(answer, i, 0), lease) != 0;
    }
    return !missing || taken_over(epoch, error);
}

bool control_worker_register(Control *control, const char *worker, guint64 epoch, GError **error)
{
    char number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, worker, number_text((gint64)epoch, number),
                            control->migration->uuid};
    gint64 affected = 0;
    if (control_run(control, "begin", 0, NULL, NULL, error) &&
        check_leases(control, worker, epoch, error) &&
        control_run(control,
                    control_sql(control->ops, embedded_control_register_worker,
                                embedded_control_register_worker_mysql),
                    4, values, &affected, error) &&
        (affected == 1 || taken_over(epoch, error)) && control_commit(control, error)) {
        return true;
    }
    g_prefix_error(error, "registering the worker \"%s\": ", worker);
    control_rollback(control);
    return false;
}

/* --- The migration's row ---------------------------------------------------------------------- */

bool control_get(Control *control, const char *column, char **value, GError **error)
{
    g_autofree char *sql =
        g_strdup_printf("select %s from drover.migration where name = $1", column);
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 1, values, error);
    if (answer == NULL) {
        return false;
    }
    if (answer->n_rows != 1) {
        return migration_missing(control, error);
    }
    *value = g_strdup(answer_get(answer, 0, 0));
    return true;
}

bool control_set(Control *control, const char *column, const char *value, GError **error)
{
    g_autofree char *sql = g_strdup_printf(
        "update drover.migration set %s = $2, updated_at = now() where name = $1", column);
    const char *values[] = {control->migration->name, value};
    gint64 affected = 0;
    if (!control_run(control, sql, 2, values, &affected, error)) {
        return false;
    }
    return affected == 1 || migration_missing(control, error);
}

/* --- Data transactions ------------------------------------------------------------------------ */

bool control_write_begin(Control *control, const char *worker, guint64 epoch, GError **error)
{
    char number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, worker, number_text((gint64)epoch, number)};
    gint64 affected = 0;
    bool done = control_run(control, "begin", 0, NULL, NULL, error) &&
                control_run(control,
                            control_sql(control->ops, embedded_control_write_begin,
                                        embedded_control_write_begin_mysql),
                            3, values, &affected, error);
    if (done && affected == 1) {
        return true;
    }
    control_rollback(control);
    return done ? taken_over(epoch, error) : false;
}

bool control_commit(Control *control, GError **error)
{
    return control_run(control, "commit", 0, NULL, NULL, error);
}

bool control_abandon(Control *control, GError **error)
{
    return control_run(control, "rollback", 0, NULL, NULL, error);
}

void control_rollback(Control *control)
{
    control_abandon(control, NULL);
}

/* --- Progress --------------------------------------------------------------------------------- */

bool control_progress_get(Control *control, const char *worker, Progress *progress, GError **error)
{
    const char *values[] = {control->migration->name, worker};
    *progress = (Progress){{0, 0}, 0, 0, 0, 0};
    g_autoptr(Answer) answer = control_ask(control, embedded_control_progress_get,
                                           embedded_control_progress_get_mysql, 2, values, error);
    if (answer == NULL) {
        return false;
    }
    if (answer->n_rows == 0) {
        return true;
    }
    const char *time = answer_get(answer, 0, 3);
    progress->commit_time = time == NULL ? 0 : g_ascii_strtoll(time, NULL, 10);
    return position_read(answer_get(answer, 0, 0), &progress->position, error) &&
           number_read(answer_get(answer, 0, 1), 10, &progress->bus_sequence, error) &&
           number_read(answer_get(answer, 0, 2), 16, &progress->bus_digest, error) &&
           number_read(answer_get(answer, 0, 4), 10, &progress->bus_epoch, error);
}

bool control_progress_reached(Control *control, const char *worker, Position *position,
                              char **resume, GError **error)
{
    const char *values[] = {control->migration->name, worker};
    *position = (Position){0, 0};
    *resume = NULL;
    g_autoptr(Answer) answer =
        control->ops->execute(control->target, embedded_control_progress_reached, 2, values, error);
    if (answer == NULL) {
        return false;
    }
    if (answer->n_rows == 0) {
        return true;
    }
    *resume = g_strdup(answer_get(answer, 0, 1));
    return position_read(answer_get(answer, 0, 0), position, error);
}

bool control_progress_set(Control *control, const char *worker, const Progress *progress,
                          const char *resume, GError **error)
{
    char position[POSITION_TEXT_SIZE], sequence[NUMBER_TEXT_SIZE], time[NUMBER_TEXT_SIZE];
    char digest[NUMBER_TEXT_SIZE], epoch[NUMBER_TEXT_SIZE];
    g_snprintf(digest, sizeof digest, "%" G_GINT64_MODIFIER "x", progress->bus_digest);
    const char *values[] = {
        control->migration->name,
        worker,
        position_format(progress->position, position),
        number_text((gint64)progress->bus_sequence, sequence),
        digest,
        progress->commit_time == 0 ? NULL : number_text(progress->commit_time, time),
        number_text((gint64)progress->bus_epoch, epoch),
        resume,
    };
    gint64 affected = 0;
    if (!control_run(control,
                     control_sql(control->ops, embedded_control_progress_set,
                                 embedded_control_progress_set_mysql),
                     G_N_ELEMENTS(values), values, &affected, error)) {
        return false;
    }
    if (affected != 1) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "worker \"%s\" has no row in drover.progress for %s", worker, position);
        return false;
    }
    return true;
}

/* --- Accounts --------------------------------------------------------------------------------- */

#define ACCOUNT_COLUMNS 7

static void account_numbers(const Account *account, guint64 *numbers)
{
    const guint64 all[ACCOUNT_COLUMNS] = {account->table,    account->captured,   account->applied,
                                          account->filtered, account->superseded, account->rejected,
                                          account->refetched};
    memcpy(numbers, all, sizeof all);
}

/* An array a column. */
static bool add_by_arrays(Control *control, const Account *accounts, guint n, gint64 *affected,
                          GError **error)
{
    GString *lists[ACCOUNT_COLUMNS];
    const char *values[1 + ACCOUNT_COLUMNS] = {control->migration->name};
    for (guint c = 0; c < ACCOUNT_COLUMNS; c++) {
        lists[c] = g_string_new("{");
    }
    for (guint i = 0; i < n; i++) {
        guint64 numbers[ACCOUNT_COLUMNS];
        account_numbers(&accounts[i], numbers);
        for (guint c = 0; c < ACCOUNT_COLUMNS; c++) {
            g_string_append_printf(lists[c], "%s%" G_GUINT64_FORMAT, i > 0 ? "," : "", numbers[c]);
        }
    }
    for (guint c = 0; c < ACCOUNT_COLUMNS; c++) {
        values[1 + c] = g_string_append_c(lists[c], '}')->str;
    }
    bool done = control_run(control, embedded_control_accounts_add, 1 + ACCOUNT_COLUMNS, values,
                            affected, error);
    for (guint c = 0; c < ACCOUNT_COLUMNS; c++) {
        g_string_free(lists[c], TRUE);
    }
    return done;
}

/* A JSON list a table. */
static bool add_by_json(Control *control, const Account *accounts, guint n, gint64 *affected,
                        GError **error)
{
    g_autoptr(GString) list = g_string_new("[");
    for (guint i = 0; i < n; i++) {
        guint64 numbers[ACCOUNT_COLUMNS];
        account_numbers(&accounts[i], numbers);
        for (guint c = 0; c < ACCOUNT_COLUMNS; c++) {
            g_string_append_printf(list, "%s%" G_GUINT64_FORMAT,
                                   c > 0   ? ","
                                   : i > 0 ? "],["
                                           : "[",
                                   numbers[c]);
        }
    }
    g_string_append(list, "]]");
    const char *values[] = {control->migration->name, list->str};
    return control_run(control, embedded_control_accounts_add_mysql, 2, values, affected, error);
}

bool control_accounts_add(Control *control, const Account *accounts, guint n, GError **error)
{
    gint64 affected = 0;
    if (n == 0) {
        return true;
    }
    bool done = is_mysql(control->ops) ? add_by_json(control, accounts, n, &affected, error)
                                       : add_by_arrays(control, accounts, n, &affected, error);
    if (done && affected != (gint64)n) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "accounts of %u tables reached %" G_GINT64_FORMAT " rows of drover.tables", n,
                    affected);
        return false;
    }
    return done;
}

/* --- The refetch list ------------------------------------------------------------------------- */

/* A bytea as a parameter: \x and two digits a byte. */
static char *hex_text(const Row *key)
{
    g_autoptr(GByteArray) packed = g_byte_array_new();
    row_pack(key, packed);
    GString *text = g_string_sized_new(3 + 2 * (gsize)packed->len);
    g_string_append(text, "\\x");
    for (guint i = 0; i < packed->len; i++) {
        g_string_append_printf(text, "%02x", packed->data[i]);
    }
    return g_string_free(text, FALSE);
}

static GByteArray *hex_read(const char *text, GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    for (const char *p = text; p != NULL && *p != '\0'; p += 2) {
        if (!g_ascii_isxdigit(p[0]) || !g_ascii_isxdigit(p[1])) {
            g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                        "drover.refetch holds a key that is not hexadecimal: \"%s\"", text);
            return NULL;
        }
        guint8 byte = (guint8)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));
        g_byte_array_append(bytes, &byte, 1);
    }
    return g_steal_pointer(&bytes);
}

bool control_refetch_add(Control *control, guint32 table, const Row *key, const char *reason,
                         GError **error)
{
    char id[NUMBER_TEXT_SIZE];
    g_autofree char *hex = hex_text(key);
    const char *values[] = {control->migration->name, number_text(table, id), hex, reason};
    return control_run(
        control,
        control_sql(control->ops, embedded_control_refetch_add, embedded_control_refetch_add_mysql),
        4, values, NULL, error);
}

bool control_refetch_remove(Control *control, guint32 table, const Row *key, GError **error)
{
    char id[NUMBER_TEXT_SIZE];
    g_autofree char *hex = hex_text(key);
    const char *values[] = {control->migration->name, number_text(table, id), hex};
    return control_run(control,
                       control_sql(control->ops, embedded_control_refetch_remove,
                                   embedded_control_refetch_remove_mysql),
                       3, values, NULL, error);
}

static void refetch_key_clear(gpointer data)
{
    RefetchKey *key = data;
    g_clear_pointer(&key->packed, g_byte_array_unref);
}

bool control_refetch_list(Control *control, guint limit, GArray **keys, GError **error)
{
    char number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text(limit, number)};
    g_autoptr(Answer) answer = control_ask(control, embedded_control_refetch_list,
                                           embedded_control_refetch_list_mysql, 2, values, error);
    if (answer == NULL) {
        return false;
    }
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(RefetchKey));
    g_array_set_clear_func(list, refetch_key_clear);
    for (guint i = 0; i < answer->n_rows; i++) {
        guint64 table;
        if (!number_read(answer_get(answer, i, 0), 10, &table, error)) {
            return false;
        }
        RefetchKey key = {(guint32)table, hex_read(answer_get(answer, i, 1), error)};
        if (key.packed == NULL) {
            return false;
        }
        g_array_append_val(list, key);
    }
    *keys = g_steal_pointer(&list);
    return true;
}

/* --- Objects ---------------------------------------------------------------------------------- */

bool control_object_add(Control *control, const char *side, const char *kind, const char *name,
                        GError **error)
{
    const char *values[] = {control->migration->name, side, kind, name};
    return control_run(
        control,
        control_sql(control->ops, embedded_control_object_add, embedded_control_object_add_mysql),
        4, values, NULL, error);
}

bool control_object_find(Control *control, const char *side, const char *kind, const char *name,
                         bool *found, GError **error)
{
    const char *values[] = {control->migration->name, side, kind, name};
    g_autoptr(Answer) answer =
        control->ops->execute(control->target,
                              "select 1 from drover.object "
                              "where migration = $1 and side = $2 and kind = $3 and name = $4",
                              4, values, error);
    if (answer != NULL) {
        *found = answer->n_rows == 1;
    }
    return answer != NULL;
}

bool control_object_remove(Control *control, const char *side, const char *kind, const char *name,
                           GError **error)
{
    const char *values[] = {control->migration->name, side, kind, name};
    return control_run(control,
                       "delete from drover.object "
                       "where migration = $1 and side = $2 and kind = $3 and name = $4",
                       4, values, NULL, error);
}

/* --- Differences ------------------------------------------------------------------------------ */

bool control_difference_add(Control *control, guint32 table, const char *kind, const char *key,
                            GError **error)
{
    char id[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text(table, id), kind, key};
    return control_run(control,
                       control_sql(control->ops, embedded_control_difference_add,
                                   embedded_control_difference_add_mysql),
                       4, values, NULL, error);
}
