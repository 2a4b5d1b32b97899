/*
 * The source's server: another one of the same history may take its place (drover.migration's
 * source_server and source_era).
 *
 * A HIGH says of a read on the server before: what it saw is behind no position of the new one. So
 * each HIGH that apply has not passed becomes the end of the new server's log, which has all of it.
 */
#include "proto/error.h"
#include "schema/control.h"
#include "schema/control_internal.h"

#include <string.h>

bool control_chunk_saw(Control *control, const Chunk *chunk, const char *resume, GError **error)
{
    char table[NUMBER_TEXT_SIZE], number[NUMBER_TEXT_SIZE];
    const char *values[] = {control->migration->name, number_text(chunk->table, table),
                            number_text(chunk->number, number), resume};
    return control_run(control,
                       "update drover.chunk set high_resume = $4 "
                       "where migration = $1 and table_id = $2 and chunk = $3",
                       4, values, NULL, error);
}

bool control_reads_beyond(Control *control, Position passed, GPtrArray **resumes, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(Answer) answer =
        control->ops->execute(control->target,
                              "select distinct high, high_resume from drover.chunk "
                              "where migration = $1 and high_resume is not null",
                              1, values, error);
    if (answer == NULL) {
        return false;
    }
    for (guint i = 0; i < answer->n_rows; i++) {
        Position high;
        if (!position_read(answer_get(answer, i, 0), &high, error)) {
            return false;
        }
        if (position_compare(high, passed) > 0) {
            g_ptr_array_add(found, g_strdup(answer_get(answer, i, 1)));
        }
    }
    *resumes = g_steal_pointer(&found);
    return true;
}

bool control_check_era(Control *control, GError **error)
{
    const Endpoint *source = control->migration->source;
    g_autofree char *text = NULL;
    guint64 era = 0;
    if (!endpoint_is_mysql(source)) {
        return true;
    }
    if (!control_get(control, "source_era", &text, error) || !number_read(text, 10, &era, error)) {
        return false;
    }
    return era == source->era || control_fail_era(source, error);
}

bool control_fail_era(const Endpoint *source, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RESTART,
                "%s: the migration goes on with another server since this process started: start "
                "it again, with that server's url in the migration file",
                source->label);
    return false;
}

/* --- The change --------------------------------------------------------------------------------
 */

/* Copies that are in the middle of a chunk end it first, and the next one sees the new era. */
static bool lock_copies(Control *control, GError **error)
{
    const char *values[] = {control->migration->name};
    g_autoptr(Answer) migration = control_lock_migration(control, error);
    g_autoptr(Answer) copies =
        migration == NULL
            ? NULL
            : control->ops->execute(control->target,
                                    "select worker from drover.progress where migration = $1 and "
                                    "worker like 'copy-%' order by worker for update",
                                    1, values, error);
    return copies != NULL;
}

/* *consistent: apply has passed all that the copy has read. */
static bool is_consistent(Control *control, bool *consistent, GError **error)
{
    g_autofree char *text = NULL;
    Position needed;
    Progress progress;
    if (!control_get(control, "consistent_position", &text, error) ||
        !position_read(text, &needed, error) ||
        !control_progress_get(control, "apply", &progress, error)) {
        return false;
    }
    *consistent = text != NULL && position_compare(progress.position, needed) >= 0;
    return true;
}

static bool raise_highs(Control *control, const char *head, const char *head_resume, GError **error)
{
    const char *values[] = {control->migration->name, head, head_resume};
    return control_run(control,
                       "update drover.chunk set high = $2, high_resume = $3 "
                       "where migration = $1 and high is not null",
                       3, values, NULL, error) &&
           control_run(control,
                       "update drover.migration set consistent_position = $2 "
                       "where name = $1 and consistent_position is not null",
                       2, values, NULL, error);
}

static bool write_change(Control *control, const char *server, Position head,
                         const char *head_resume, GError **error)
{
    char text[POSITION_TEXT_SIZE], era[NUMBER_TEXT_SIZE];
    bool consistent = false;
    position_format(head, text);
    number_text(position_era(head), era);
    return lock_copies(control, error) && is_consistent(control, &consistent, error) &&
           (consistent || raise_highs(control, text, head_resume, error)) &&
           control_set(control, "source_server", server, error) &&
           control_set(control, "source_era", era, error);
}

bool control_change_server(Control *control, const char *server, Position head,
                           const char *head_resume, GError **error)
{
    if (control_run(control, "begin", 0, NULL, NULL, error) &&
        write_change(control, server, head, head_resume, error) && control_commit(control, error)) {
        return true;
    }
    control_rollback(control);
    return false;
}
