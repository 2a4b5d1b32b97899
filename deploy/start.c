#include "deploy/start.h"

#include "deploy/bus_owner.h"
#include "deploy/failover.h"
#include "deploy/preflight_report.h"
#include "deploy/stored.h"
#include "proto/error.h"
#include "schema/ddl.h"

#include <string.h>

#define AWAIT_INTERVAL (G_USEC_PER_SEC / 2)

typedef struct Start {
    Run *run;
    Context *context;
    Control *control;
    Migration *migration;
    const StartSettings *settings;
} Start;

static bool ask(Control *control, const char *sql, GError **error)
{
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 0, NULL, error);
    return answer != NULL;
}

/* --- Preflight -------------------------------------------------------------------------------- */

static bool refuse(const Start *start, const Preflight *preflight, GError **error)
{
    guint failures = preflight_count(preflight, FINDING_FAIL);

    if (start->settings->json) {
        json_t *report = preflight_json(start->migration, preflight);
        json_dumpf(report, start->settings->out, JSON_COMPACT);
        fputc('\n', start->settings->out);
        json_decref(report);
    } else {
        preflight_print_findings(preflight, FINDING_WARN, start->settings->out);
    }
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                "%u of the checks before the start failed; nothing was changed on either side",
                failures);
    return false;
}

static void log_warnings(const Preflight *preflight)
{
    for (guint i = 0; i < preflight->findings->len; i++) {
        const Finding *finding = g_ptr_array_index(preflight->findings, i);
        if (finding->level == FINDING_WARN)
            g_warning("%s: %s", finding->name, finding->text);
    }
}

static Preflight *preflight(Start *start, bool started, GError **error)
{
    const Context *context = start->context;
    g_autoptr(Preflight) found =
        check_preflight(start->migration, context->config->lines, started, error);
    if (found == NULL ||
        !bus_owner_preflight(context->bus, &start->migration->bus, started, found, error))
        return NULL;
    return g_steal_pointer(&found);
}

/* --- The first time --------------------------------------------------------------------------- */

/* The history begins on this server, and every session that is opened from here on is on it. */
static void take_identity(Start *start, const char *identity)
{
    Migration *migration = start->migration;

    g_free(migration->source_identity);
    migration->source_identity = g_strdup(identity);
    g_free(migration->source->server);
    migration->source->server = g_strdup(identity);
}

static bool pass_new(Start *start, const Preflight *found, GError **error)
{
    if (!preflight_passes(found))
        return refuse(start, found, error);
    log_warnings(found);
    start->migration->schema_version = stored_schema_version(start->migration);
    take_identity(start, found->source_identity);
    return true;
}

/* The migration's row. Another run may have added one at the same moment: then that one counts. */
static bool begin_new(Start *start, GError **error)
{
    Migration *migration = start->migration;
    g_autofree char *uuid = g_uuid_string_random();
    const Stored fresh = {.uuid = uuid};

    if (!stored_fill(&fresh, migration, error))
        return false;
    g_autoptr(Preflight) found = preflight(start, false, error);
    if (found == NULL)
        return false;
    if (!preflight_passes(found)) {
        g_autoptr(Stored) rival = NULL;
        if (!stored_read(start->control, &rival, error))
            return false;
        return rival != NULL || refuse(start, found, error);
    }
    return pass_new(start, found, error) &&
           control_install(start->context->target, start->context->session, error) &&
           stored_insert(start->control, uuid, start->context->config->resolved, error);
}

static GPtrArray *plan_schema(Start *start, GError **error)
{
    g_autofree char *label = context_label(start->context, "schema");
    g_autoptr(Server) source = server_open(start->migration->source, label, error);
    g_autoptr(Server) target =
        source != NULL ? server_open(start->migration->target, label, error) : NULL;
    return target != NULL ? ddl_plan(source, target, start->migration->tables, error) : NULL;
}

static bool forget_schema(Start *start, GError **error)
{
    const char *values[] = {start->migration->name};
    g_autoptr(Answer) answer = start->control->ops->execute(
        start->control->target, "delete from drover.ddl where migration = $1", 1, values, error);
    return answer != NULL;
}

/* Tables and what the schema needs; the file as it is now, since nothing of it was used so far. */
static bool store_plan(Start *start, GError **error)
{
    g_autoptr(GPtrArray) steps = plan_schema(start, error);

    return steps != NULL && ask(start->control, "begin", error) &&
           control_set(start->control, "file", start->context->config->resolved, error) &&
           stored_save_tables(start->control, error) && forget_schema(start, error) &&
           ddl_store(start->control, steps, error) && control_commit(start->control, error);
}

static bool make_bus(Start *start, const Stored *stored, GError **error)
{
    const BusOps *ops = start->context->bus;
    const BusOptions *options = &start->migration->bus;
    g_autofree char *uuid = NULL;
    bool exists = false;

    /* What was there before is not drover's: it is used, and left where it is. */
    if (!ops->exists(options, &exists, error) ||
        (!exists &&
         !control_object_add(start->control, "bus", ops->kind, bus_options_name(options), error)))
        return false;
    return bus_owner_prepare(ops, options, stored->bus_uuid, &uuid, error) &&
           control_set(start->control, "bus_uuid", uuid, error);
}

static bool store_intent(Start *start, GError **error)
{
    const char *slot = start->migration->slot;

    return ask(start->control, "begin", error) &&
           control_set(start->control, "slot", slot, error) &&
           (!migration_has_slot(start->migration) ||
            (control_object_add(start->control, "source", "slot", slot, error) &&
             control_object_add(start->control, "source", "publication", slot, error))) &&
           control_commit(start->control, error);
}

/* What copies on other machines need to read through the snapshot. */
static bool describe_snapshot(Start *start, const char *snapshot, GError **error)
{
    const SourceOps *ops = start->context->source;
    g_autofree char *label = context_label(start->context, "snapshot");
    Source *reader = ops->connect(start->migration->source, label, error);

    if (reader == NULL)
        return false;
    start->run->exported = copy_snapshot_text(ops, reader, snapshot, error);
    ops->close(reader);
    return start->run->exported != NULL;
}

static bool make_stream(Start *start, GError **error)
{
    const SourceOps *ops = start->context->source;
    Run *run = start->run;
    g_autofree char *label = context_label(start->context, "snapshot");
    g_autofree char *snapshot = NULL;

    run->holder = ops->connect(start->migration->source, label, error);
    return run->holder != NULL &&
           ops->setup(run->holder, start->migration, &start->migration->start,
                      &start->migration->start_resume, &snapshot, error) &&
           (snapshot == NULL || describe_snapshot(start, snapshot, error));
}

/* From here on the migration is started: P0 and what begins there, in one transaction. The process
 * that will apply takes a higher epoch than the one that apply's progress gets here. */
static bool store_start(Start *start, GError **error)
{
    Control *control = start->control;
    const Run *run = start->run;
    const Progress progress = {.position = start->migration->start};
    guint64 epoch = MAX(run->leases.apply, run->leases.capture);
    char text[POSITION_TEXT_SIZE];

    position_format(start->migration->start, text);
    return control_worker_register(control, "apply", epoch, error) &&
           ask(control, "begin", error) &&
           control_progress_set(control, "apply", &progress, start->migration->start_resume,
                                error) &&
           control_set(control, "source_identity", start->migration->source_identity, error) &&
           control_set(control, "start_position", text, error) &&
           control_set(control, "start_resume", start->migration->start_resume, error) &&
           control_set(control, "snapshot", run->exported, error) &&
           control_set(control, "phase", "copying", error) && control_commit(control, error);
}

static bool set_up(Start *start, const Stored *stored, GError **error)
{
    return store_plan(start, error) && make_bus(start, stored, error) &&
           store_intent(start, error) && make_stream(start, error) && store_start(start, error);
}

/* --- Every later time ------------------------------------------------------------------------- */

/* *moved: it is another server, which may have the history of the one before. */
static bool match_source(Start *start, const Stored *stored, const Preflight *found, bool *moved,
                         GError **error)
{
    bool same = g_strcmp0(stored_server(stored), found->source_identity) == 0;

    *moved =
        !same && start->context->source->check_history != NULL && found->source_identity != NULL;
    if (same || *moved)
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "%s is not the server that migration %s started on: its identity%s is %s and was "
                "%s; its log cannot be gone on with. Connect to the right server, or `drover drop` "
                "the migration and begin anew",
                start->migration->source->label, start->migration->name,
                migration_has_slot(start->migration) ? " (system identifier/timeline)" : "",
                found->source_identity != NULL ? found->source_identity : "unknown",
                stored->source_identity != NULL ? stored->source_identity : "unknown");
    return false;
}

/* Only capture and apply reach the bus. */
static bool check_bus(Start *start, const Stored *stored, GError **error)
{
    return (start->run->roles & (ROLE_CAPTURE | ROLE_APPLY)) == 0 ||
           bus_owner_check(start->context->bus, &start->migration->bus, stored->bus_uuid, error);
}

/* The session that exported the snapshot has ended with the capture before. */
static bool forget_snapshot(Start *start, GError **error)
{
    return (start->run->roles & ROLE_CAPTURE) == 0 ||
           control_set(start->control, "snapshot", NULL, error);
}

static bool go_on(Start *start, const Stored *stored, GError **error)
{
    if (!stored_match_file(stored, start->context->config->resolved, start->migration->source,
                           error) ||
        !check_bus(start, stored, error))
        return false;
    g_autoptr(Preflight) found = preflight(start, true, error);
    bool moved = false;
    if (found == NULL || !match_source(start, stored, found, &moved, error) ||
        !stored_match_tables(start->control, start->migration, error))
        return false;
    if (!preflight_passes(found))
        return refuse(start, found, error);
    if (moved &&
        !failover_accept(start->context, start->run->roles, stored, found->source_identity, error))
        return false;
    log_warnings(found);
    return forget_snapshot(start, error);
}

/* --- Waiting for the first time --------------------------------------------------------------- */

/* One look, on a session that is opened where it was lost. */
static bool look(Start *start, Stored **stored, GError **error)
{
    Context *context = start->context;

    if (context->session == NULL && !context_connect(context, "control", error))
        return false;
    if (stored_read(start->control, stored, error))
        return true;
    context_disconnect(context);
    return false;
}

/* Until the process that captures has stored P0. *stored NULL: this process shall stop. */
static bool await_start(Start *start, Stored **stored, GError **error)
{
    Runtime *process = start->settings->process;
    bool said = false;

    while (!runtime_stopping(process)) {
        g_autoptr(GError) problem = NULL;
        g_autoptr(Stored) found = NULL;
        if (!look(start, &found, &problem) && !(said && drover_error_is_retry(problem))) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return false;
        }
        if (found != NULL && found->start_position != NULL) {
            *stored = g_steal_pointer(&found);
            return true;
        }
        if (!said)
            g_message("waiting for `drover capture` or `drover run` to start migration %s",
                      start->migration->name);
        said = true;
        process->wait(process, AWAIT_INTERVAL);
    }
    *stored = NULL;
    return true;
}

/* --- Both ------------------------------------------------------------------------------------- */

/* Under the locks of the roles: nobody else changes what is read here. */
static bool start_locked(Start *start, bool checked, GError **error)
{
    g_autofree char *uuid = g_strdup(start->migration->uuid);
    g_autofree char *identity = g_strdup(start->migration->source_identity);
    g_autoptr(Stored) stored = stored_find(start->control, error);

    if (stored == NULL || !stored_fill(stored, start->migration, error))
        return false;
    if (stored->start_position != NULL)
        return go_on(start, stored, error);
    if ((start->run->roles & ROLE_CAPTURE) == 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_NO,
                    "migration %s was dropped and begun anew just now; start this process again",
                    start->migration->name);
        return false;
    }
    if (checked && strcmp(uuid, stored->uuid) == 0) {
        take_identity(start, identity);
        return set_up(start, stored, error);
    }
    g_autoptr(Preflight) found = preflight(start, false, error);
    return found != NULL && pass_new(start, found, error) && set_up(start, stored, error);
}

/* The migration's row, whoever made it. *stopped: there is none yet, and the process shall stop. */
static bool find_row(Start *start, bool *made, bool *stopped, GError **error)
{
    g_autoptr(Stored) stored = NULL;

    if (!context_connect(start->context, "control", error))
        return false;
    if ((start->run->roles & ROLE_CAPTURE) == 0) {
        if (!await_start(start, &stored, error))
            return false;
        *stopped = stored == NULL;
        return *stopped || stored_fill(stored, start->migration, error);
    }
    if (!stored_read(start->control, &stored, error))
        return false;
    *made = stored == NULL;
    return *made ? begin_new(start, error) : stored_fill(stored, start->migration, error);
}

bool start_migration(Run *run, const StartSettings *settings, bool *stopped, GError **error)
{
    Context *context = run->context;
    Start start = {run, context, &context->control, context->migration, settings};
    bool made = false;

    run->take_over = settings->take_over;
    *stopped = false;
    if (!find_row(&start, &made, stopped, error))
        return false;
    if (*stopped)
        return true;
    if (!context_take_roles(context, run->roles, settings->take_over, &run->leases, error))
        return false;
    *stopped = runtime_stopping(settings->process);
    return *stopped || start_locked(&start, made, error);
}
