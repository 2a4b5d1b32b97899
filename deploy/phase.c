#include "deploy/phase.h"

#include "apply/apply.h"
#include "proto/error.h"
#include "schema/ddl.h"

#include <string.h>

#define HEARTBEAT_INTERVAL G_USEC_PER_SEC
#define WATCH_INTERVAL G_USEC_PER_SEC
#define BUILD_WAIT (200 * 1000)

void run_init(Run *run, Context *context)
{
    *run = (Run){.context = context, .board = copy_board_new(), .sample = {.retained_bytes = -1}};
    runtime_init(&run->roles);
    context->migration->bus.stop = &run->roles.stop;
    pthread_mutex_init(&run->lock, NULL);
}

static void release_snapshot(Run *run)
{
    if (run->holder != NULL)
        run->context->source->close(run->holder);
    run->holder = NULL;
    g_clear_pointer(&run->snapshot, g_free);
}

void run_clear(Run *run)
{
    release_snapshot(run);
    copy_board_free(run->board);
    pthread_mutex_destroy(&run->lock);
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
                                      .runtime = &run->roles,
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
    run->roles.wait(&run->roles, WATCH_INTERVAL);
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

/* --- Schema: a role that works on drover.ddl with a session of its own ------------------------ */

typedef struct Builder {
    Run *run;
    Target *target;
    Control control;
} Builder;

static void *builder_start(Run *run, guint worker, GError **error)
{
    (void)worker;
    const Context *context = run->context;
    g_autofree char *label = context_label(context, "schema");
    Target *target = context->target->connect(context->migration->target, label, error);
    if (target == NULL)
        return NULL;
    Builder *builder = g_new0(Builder, 1);
    *builder = (Builder){run, target, {context->target, target, context->migration}};
    return builder;
}

static void builder_free(void *role)
{
    Builder *builder = role;
    builder->run->context->target->close(builder->target);
    g_free(builder);
}

/* All steps of these kinds, one by one. */
static StepResult build_all(Builder *builder, const char *const *kinds, GError **error)
{
    if (!ddl_run(&builder->control, kinds, 0, &builder->run->roles, error))
        return STEP_FAILED;
    return runtime_stopping(&builder->run->roles) ? STEP_IDLE : STEP_DONE;
}

/* Not done, whether or not somebody is at work on it. kinds: one or two. */
static bool steps_left(Builder *builder, const char *const *kinds, bool *left, GError **error)
{
    const char *values[] = {builder->control.migration->name, kinds[0],
                            kinds[1] != NULL ? kinds[1] : kinds[0]};
    g_autoptr(Answer) answer = builder->control.ops->execute(
        builder->target,
        "select 1 from drover.ddl where migration = $1 and not done and kind in ($2, $3) limit 1",
        3, values, error);
    if (answer != NULL)
        *left = answer->n_rows > 0;
    return answer != NULL;
}

/* One step of these kinds, beside other builders. One that is in other hands is waited for: they
 * may be those of a process that was killed, whose session ends without having done it. */
static StepResult build_one(Builder *builder, const char *const *kinds, GError **error)
{
    Runtime *runtime = &builder->run->roles;
    bool ran = false, left = false;

    if (!ddl_run_one(&builder->control, kinds, &ran, error))
        return STEP_FAILED;
    if (ran)
        return STEP_WORKED;
    if (!steps_left(builder, kinds, &left, error))
        return STEP_FAILED;
    if (!left)
        return STEP_DONE;
    runtime->wait(runtime, BUILD_WAIT);
    return STEP_IDLE;
}

static void fill_copy_settings(Run *run, guint worker, CopySettings *settings)
{
    *settings = (CopySettings){.migration = run->context->migration,
                               .source = run->context->source,
                               .target = run->context->target,
                               .worker = worker,
                               .epoch = run->leases.copy,
                               .snapshot = run->snapshot,
                               .board = run->board,
                               .runtime = &run->roles};
}

static StepResult prepare_step(void *role, GError **error)
{
    static const char *const kinds[] = {"schema", "sequence", "table", NULL};
    Builder *builder = role;
    CopySettings settings;

    StepResult result = build_all(builder, kinds, error);
    if (result != STEP_DONE)
        return result;
    fill_copy_settings(builder->run, 1, &settings);
    return copy_plan(&settings, error) ? STEP_DONE : STEP_FAILED;
}

static StepResult index_step(void *role, GError **error)
{
    static const char *const kinds[] = {"index", "constraint", NULL};
    return build_one(role, kinds, error);
}

static StepResult foreign_key_step(void *role, GError **error)
{
    static const char *const kinds[] = {"foreign_key", NULL};
    return build_one(role, kinds, error);
}

static StepResult rest_step(void *role, GError **error)
{
    static const char *const kinds[] = {"sequence_owner", "analyze", NULL};
    return build_all(role, kinds, error);
}

static const RoleKind prepare_kind = {
    .name = "schema", .start = builder_start, .step = prepare_step, .free = builder_free};
static const RoleKind index_kind = {
    .name = "index", .start = builder_start, .step = index_step, .free = builder_free};
static const RoleKind foreign_key_kind = {
    .name = "foreign-key", .start = builder_start, .step = foreign_key_step, .free = builder_free};
static const RoleKind rest_kind = {
    .name = "analyze", .start = builder_start, .step = rest_step, .free = builder_free};

/* --- Copy ------------------------------------------------------------------------------------- */

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
                                    .runtime = &run->roles,
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

static bool control_ask(Control *control, const char *sql, GError **error)
{
    g_autoptr(Answer) answer = control->ops->execute(control->target, sql, 0, NULL, error);
    return answer != NULL;
}

static bool finish_copy(Run *run, GError **error)
{
    Control *control = &run->context->control;
    char text[POSITION_TEXT_SIZE];
    Position high;
    gint64 todo;

    if (!control_copy_state(control, &todo, &high, error))
        return false;
    if (todo != 0) {
        g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                    "the copy ended and %" G_GINT64_FORMAT " chunks are still to do", todo);
        return false;
    }
    release_snapshot(run);
    Position start = run->context->migration->start;
    run->consistent = position_compare(high, start) > 0 ? high : start;
    position_format(run->consistent, text);
    return control_ask(control, "begin", error) &&
           control_set(control, "consistent_position", text, error) &&
           control_set(control, "phase", "catching_up", error) && control_commit(control, error);
}

static bool finish_catch_up(Run *run, GError **error)
{
    return control_set(&run->context->control, "phase", "indexing", error);
}

static bool finish_indexing(Run *run, GError **error)
{
    Control *control = &run->context->control;
    const GPtrArray *tables = run->context->migration->tables;

    if (!control_ask(control, "begin", error))
        return false;
    for (guint i = 0; i < tables->len; i++) {
        const Table *table = g_ptr_array_index(tables, i);
        if (!control_table_state(control, table->id, "ready", error))
            return false;
    }
    return control_set(control, "phase", "streaming", error) && control_commit(control, error);
}

static const Stage stages[] = {
    {"copying", "creating the tables", &prepare_kind, false, PROGRESS_NONE, NULL},
    {"copying", "copying", &copy_kind, true, PROGRESS_COPY, finish_copy},
    {"catching_up", "catching up", &catch_up_kind, false, PROGRESS_STREAM, finish_catch_up},
    {"indexing", "building indexes and constraints", &index_kind, true, PROGRESS_STEPS, NULL},
    {"indexing", "building foreign keys", &foreign_key_kind, true, PROGRESS_STEPS, NULL},
    {"indexing", "analyzing", &rest_kind, false, PROGRESS_STEPS, finish_indexing},
    {"streaming", "streaming", &stream_kind, false, PROGRESS_STREAM, NULL},
};

const Stage *stage_first(const char *phase)
{
    for (gsize i = 0; i < G_N_ELEMENTS(stages); i++)
        if (g_strcmp0(stages[i].phase, phase) == 0)
            return &stages[i];
    return NULL;
}

const Stage *stage_next(const Stage *stage)
{
    gsize next = (gsize)(stage - stages) + 1;
    return next < G_N_ELEMENTS(stages) ? &stages[next] : NULL;
}
