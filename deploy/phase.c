#include "deploy/phase.h"

#include "apply/apply.h"
#include "proto/error.h"
#include "schema/ddl.h"

#include <string.h>

#define HEARTBEAT_INTERVAL G_USEC_PER_SEC
#define WATCH_INTERVAL G_USEC_PER_SEC
#define BUILD_WAIT (200 * 1000)

void run_init(Run *run, Context *context, guint roles)
{
    *run = (Run){.context = context,
                 .roles = roles,
                 .board = copy_board_new(),
                 .sample = {.retained_bytes = -1}};
    runtime_init(&run->runtime);
    context->migration->bus.stop = &run->runtime.stop;
    pthread_mutex_init(&run->lock, NULL);
}

static void close_holder(Run *run)
{
    if (run->holder != NULL)
        run->context->source->close(run->holder);
    run->holder = NULL;
    g_clear_pointer(&run->exported, g_free);
}

void run_release_snapshot(Run *run)
{
    g_autoptr(GError) problem = NULL;

    if (run->exported != NULL && run->context->session != NULL &&
        !control_snapshot_forget(&run->context->control, run->exported, &problem))
        g_debug("the snapshot is released, and the target still has its name: %s",
                problem->message);
    close_holder(run);
}

void run_clear(Run *run)
{
    close_holder(run);
    copy_board_free(run->board);
    g_free(run->snapshot);
    pthread_mutex_destroy(&run->lock);
}

bool run_forget_snapshot(Run *run, GError **error)
{
    if (run->snapshot == NULL || run->snapshot_forgotten || !copy_board_snapshot_lost(run->board))
        return true;
    run->snapshot_forgotten = control_snapshot_forget(&run->context->control, run->snapshot, error);
    return run->snapshot_forgotten;
}

Sample run_sample(Run *run)
{
    pthread_mutex_lock(&run->lock);
    Sample sample = run->sample;
    pthread_mutex_unlock(&run->lock);
    return sample;
}

/* --- Capture ---------------------------------------------------------------------------------- */

static void *capture_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    const CaptureSettings settings = {.migration = run->context->migration,
                                      .source = run->context->source,
                                      .bus = run->context->bus,
                                      .epoch = run->leases.capture,
                                      .take_over = run->take_over,
                                      .runtime = &run->runtime,
                                      .heartbeat_interval = HEARTBEAT_INTERVAL};
    Capture *capture = capture_new(&settings, error);
    pthread_mutex_lock(&run->lock);
    guint64 trim_below = run->trim_below;
    pthread_mutex_unlock(&run->lock);
    if (capture != NULL)
        capture_allow_trim(capture, trim_below);
    return capture;
}

static StepResult capture_role_step(void *role, GError **error)
{
    return capture_step(role, error);
}

static void capture_role_free(void *role)
{
    capture_free(role);
}

const RoleKind capture_kind = {.name = "capture",
                               .start = capture_start,
                               .step = capture_role_step,
                               .free = capture_role_free};

/* --- Watch: where the source is, for the display ---------------------------------------------- */

typedef struct Watch {
    Run *run;
    Source *source;
} Watch;

static void *watch_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    g_autofree char *label = context_label(run->context, "watch");
    Source *source = run->context->source->connect(run->context->migration->source, label, error);
    if (source == NULL)
        return NULL;
    Watch *watch = g_new0(Watch, 1);
    *watch = (Watch){run, source};
    return watch;
}

static StepResult watch_step(void *role, GError **error)
{
    Watch *watch = role;
    Run *run = watch->run;
    SourceStatus status = {0};

    if (!run->context->source->status(watch->source, run->context->migration, false, &status,
                                      error))
        return STEP_FAILED;
    pthread_mutex_lock(&run->lock);
    run->sample = (Sample){status.head, status.time, status.retained_bytes};
    pthread_mutex_unlock(&run->lock);
    g_free(status.identity);
    run->runtime.wait(&run->runtime, WATCH_INTERVAL);
    return STEP_IDLE;
}

static void watch_free(void *role)
{
    Watch *watch = role;
    watch->run->context->source->close(watch->source);
    g_free(watch);
}

const RoleKind watch_kind = {.name = "watch",
                             .optional = true,
                             .start = watch_start,
                             .step = watch_step,
                             .free = watch_free};

/* --- Builders: roles that work on drover.ddl, each with a session of its own ------------------ */

typedef struct Builder {
    Run *run;
    Target *target;
    Control control;
    DdlWorker worker;
    char *name;    /* of worker and session */
    Copy *planner; /* of prepare, once the tables are there */
} Builder;

static void builder_free(void *role)
{
    Builder *builder = role;
    copy_free(builder->planner);
    if (builder->target != NULL)
        builder->run->context->target->close(builder->target);
    g_free(builder->name);
    g_free(builder);
}

/* Takes the name. */
static Builder *builder_new(Run *run, char *name, guint64 epoch, GError **error)
{
    const Context *context = run->context;
    g_autofree char *label = context_label(context, name);
    Builder *builder = g_new0(Builder, 1);

    *builder = (Builder){.run = run, .name = name, .worker = {name, epoch}};
    builder->target = context->target->connect(context->migration->target, label, error);
    builder->control = (Control){context->target, builder->target, context->migration};
    if (builder->target != NULL && control_worker_register(&builder->control, name, epoch, error))
        return builder;
    builder_free(builder);
    return NULL;
}

static void *builder_start(Run *run, guint worker, GError **error)
{
    return builder_new(run, g_strdup_printf("apply-build-%u", worker), run->leases.apply, error);
}

/* One step of these kinds, beside other builders. One that is in other hands is waited for: they
 * may be those of a process that was killed, whose session ends without having done it. */
static StepResult build_one(Builder *builder, const char *const *kinds, DdlPick pick,
                            GError **error)
{
    Runtime *runtime = &builder->run->runtime;
    bool ran = false, left = false;

    if (runtime_stopping(runtime))
        return STEP_IDLE;
    if (!ddl_run_one(&builder->control, &builder->worker, kinds, pick, &ran, error))
        return STEP_FAILED;
    if (ran)
        return STEP_WORKED;
    if (!ddl_left(&builder->control, kinds, &left, error))
        return STEP_FAILED;
    if (!left)
        return STEP_DONE;
    runtime->wait(runtime, BUILD_WAIT);
    return STEP_IDLE;
}

static StepResult index_step(void *role, GError **error)
{
    static const char *const kinds[] = {"index", "constraint", NULL};
    return build_one(role, kinds, DDL_ANY, error);
}

static StepResult foreign_key_step(void *role, GError **error)
{
    static const char *const kinds[] = {"foreign_key", NULL};
    return build_one(role, kinds, DDL_ANY, error);
}

static StepResult rest_step(void *role, GError **error)
{
    static const char *const kinds[] = {"sequence_owner", "analyze", NULL};
    return build_one(role, kinds, DDL_IN_ORDER, error);
}

static const RoleKind index_kind = {
    .name = "index", .start = builder_start, .step = index_step, .free = builder_free};
static const RoleKind foreign_key_kind = {
    .name = "foreign-key", .start = builder_start, .step = foreign_key_step, .free = builder_free};
static const RoleKind rest_kind = {
    .name = "analyze", .start = builder_start, .step = rest_step, .free = builder_free};

/* --- Copy ------------------------------------------------------------------------------------- */

static void fill_copy_settings(Run *run, guint worker, CopySettings *settings)
{
    *settings = (CopySettings){.migration = run->context->migration,
                               .source = run->context->source,
                               .target = run->context->target,
                               .worker = worker,
                               .epoch = run->leases.copy,
                               .snapshot = run->snapshot,
                               .board = run->board,
                               .runtime = &run->runtime};
}

static void *prepare_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    guint64 epoch = run->leases.copy;
    return builder_new(run, g_strdup_printf("copy-%" G_GUINT64_FORMAT "-tables", epoch), epoch,
                       error);
}

/* The tables, then the chunks. */
static StepResult prepare_step(void *role, GError **error)
{
    static const char *const kinds[] = {"schema", "sequence", "table", NULL};
    Builder *builder = role;
    CopySettings settings;

    if (builder->planner != NULL)
        return copy_plan_step(builder->planner, error);
    StepResult result = build_one(builder, kinds, DDL_IN_ORDER, error);
    if (result == STEP_IDLE && !copy_wait(builder->run->board, &builder->control,
                                          builder->worker.epoch, &builder->run->runtime, error))
        return STEP_FAILED;
    if (result != STEP_DONE)
        return result;
    fill_copy_settings(builder->run, 1, &settings);
    builder->planner = copy_new(&settings, error);
    return builder->planner != NULL ? STEP_WORKED : STEP_FAILED;
}

static const RoleKind prepare_kind = {
    .name = "schema", .start = prepare_start, .step = prepare_step, .free = builder_free};

static void *copy_start(Run *run, guint worker, GError **error)
{
    CopySettings settings;
    fill_copy_settings(run, worker, &settings);
    return copy_new(&settings, error);
}

static StepResult copy_role_step(void *role, GError **error)
{
    return copy_step(role, error);
}

static void copy_role_free(void *role)
{
    copy_free(role);
}

const RoleKind copy_kind = {
    .name = "copy", .start = copy_start, .step = copy_role_step, .free = copy_role_free};

/* --- Apply ------------------------------------------------------------------------------------ */

static void *apply_start(Run *run, bool consistent, GError **error)
{
    const Context *context = run->context;
    const ApplySettings settings = {.migration = context->migration,
                                    .source = context->source,
                                    .bus = context->bus,
                                    .target = context->target,
                                    .epoch = run->leases.apply,
                                    .runtime = &run->runtime,
                                    .consistent = consistent,
                                    .until = consistent ? (Position){0, 0} : run->consistent};
    return apply_new(&settings, error);
}

static void *catch_up_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    return apply_start(run, false, error);
}

static void *stream_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    return apply_start(run, true, error);
}

static StepResult apply_role_step(void *role, GError **error)
{
    return apply_step(role, error);
}

static void apply_role_free(void *role)
{
    apply_free(role);
}

const RoleKind catch_up_kind = {
    .name = "apply", .start = catch_up_start, .step = apply_role_step, .free = apply_role_free};
const RoleKind stream_kind = {
    .name = "apply", .start = stream_start, .step = apply_role_step, .free = apply_role_free};

bool role_kind_applies(const RoleKind *kind)
{
    return kind == &catch_up_kind || kind == &stream_kind;
}

/* --- Ends of stages --------------------------------------------------------------------------- */

static bool finish_copy(Run *run, GError **error)
{
    return control_copy_finish(&run->context->control, error);
}

static bool finish_catch_up(Run *run, GError **error)
{
    return control_set(&run->context->control, "phase", "indexing", error);
}

static bool finish_indexing(Run *run, GError **error)
{
    Control *control = &run->context->control;
    const GPtrArray *tables = run->context->migration->tables;
    g_autoptr(Answer) begun = control->ops->execute(control->target, "begin", 0, NULL, error);

    if (begun == NULL)
        return false;
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        if (!control_table_state(control, table->id, "ready", error))
            return false;
    }
    return control_set(control, "phase", "streaming", error) && control_commit(control, error);
}

static const Stage stages[] = {
    {"copying", "creating the tables", ROLE_COPY, &prepare_kind, false, PROGRESS_NONE, NULL},
    {"copying", "copying", ROLE_COPY, &copy_kind, true, PROGRESS_COPY, finish_copy},
    {"catching_up", "catching up", ROLE_APPLY, &catch_up_kind, false, PROGRESS_STREAM,
     finish_catch_up},
    {"indexing", "building indexes and constraints", ROLE_APPLY, &index_kind, true, PROGRESS_STEPS,
     NULL},
    {"indexing", "building foreign keys", ROLE_APPLY, &foreign_key_kind, true, PROGRESS_STEPS,
     NULL},
    {"indexing", "analyzing", ROLE_APPLY, &rest_kind, false, PROGRESS_STEPS, finish_indexing},
    {"streaming", "streaming", ROLE_APPLY, &stream_kind, false, PROGRESS_STREAM, NULL},
};

static const Stage *stage_first(const char *phase)
{
    for (gsize i = 0; i < G_N_ELEMENTS(stages); i++)
        if (g_strcmp0(stages[i].phase, phase) == 0)
            return &stages[i];
    return NULL;
}

bool stage_is_left(const Stage *stage, guint roles)
{
    for (; stage < stages + G_N_ELEMENTS(stages); stage++)
        if ((stage->owner & roles) != 0)
            return true;
    return false;
}

const Stage *stage_next(const Stage *stage)
{
    const Stage *next = stage + 1;
    return next < stages + G_N_ELEMENTS(stages) && strcmp(next->phase, stage->phase) == 0 ? next
                                                                                          : NULL;
}

bool run_read(Run *run, const Stage **stage, GError **error)
{
    Control *control = &run->context->control;
    g_autofree char *phase = NULL, *consistent = NULL;

    g_clear_pointer(&run->snapshot, g_free);
    if (!control_get(control, "phase", &phase, error) ||
        !control_get(control, "consistent_position", &consistent, error) ||
        !control_get(control, "snapshot", &run->snapshot, error))
        return false;
    *stage = stage_first(phase);
    if (*stage != NULL && (consistent == NULL || position_parse(consistent, &run->consistent)))
        return true;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_PERSON,
                "the target says that migration %s is in phase '%s', consistent position '%s', "
                "which this drover cannot go on from",
                control->migration->name, phase, consistent != NULL ? consistent : "none");
    return false;
}
