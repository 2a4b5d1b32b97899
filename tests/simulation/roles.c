#include "tests/simulation/roles.h"

#include "apply/apply.h"
#include "capture/capture.h"
#include "capture/copy.h"
#include "tests/simulation/sim_bus.h"
#include "tests/simulation/sim_source.h"
#include "tests/simulation/sim_target.h"
#include "tests/simulation/world.h"

#include <string.h>

#define HEARTBEAT_INTERVAL G_USEC_PER_SEC

/* ---- capture ---- */

static void *capture_start(Process *process, GError **error)
{
    const CaptureSettings settings = {.migration = &world.migration,
                                      .source = &sim_source_ops,
                                      .bus = &sim_bus_ops,
                                      .epoch = process->epoch,
                                      .take_over = process->take_over,
                                      .runtime = &process->runtime,
                                      .heartbeat_interval = HEARTBEAT_INTERVAL,
                                      .record_target = world.weather.record_target};
    return capture_new(&settings, error);
}

static StepResult capture_role_step(void *role, GError **error)
{
    return capture_step(role, error);
}

static void capture_role_free(void *role)
{
    capture_free(role);
}

/* What apply's progress contains is needed no more. */
static bool capture_look(Process *process, void *role, GError **error)
{
    Progress progress;
    if (!control_progress_get(&process->control, "apply", &progress, error))
        return false;
    capture_allow_trim(role, progress.bus_sequence);
    return true;
}

/* ---- copy ---- */

typedef struct CopyRole {
    CopyBoard *board;
    Copy *copy;
    bool planned;
    char *snapshot;
} CopyRole;

static void copy_role_free(void *data)
{
    CopyRole *role = data;
    copy_free(role->copy);
    copy_board_free(role->board);
    g_free(role->snapshot);
    g_free(role);
}

static void *copy_start(Process *process, GError **error)
{
    g_autofree char *phase = NULL;
    CopyRole *role = g_new0(CopyRole, 1);
    role->board = copy_board_new();
    if (control_get(&process->control, "phase", &phase, error) &&
        control_get(&process->control, "snapshot", &role->snapshot, error) &&
        strcmp(phase, "copying") == 0) {
        const CopySettings settings = {.migration = &world.migration,
                                       .source = &sim_source_ops,
                                       .target = &sim_target_ops,
                                       .worker = 1,
                                       .epoch = process->epoch,
                                       .snapshot = role->snapshot,
                                       .board = role->board,
                                       .runtime = &process->runtime};
        role->copy = copy_new(&settings, error);
    }
    process->worker_done = phase != NULL && strcmp(phase, "copying") != 0;
    if (role->copy != NULL)
        return role;
    copy_role_free(role);
    return NULL;
}

static StepResult copy_role_step(void *data, GError **error)
{
    CopyRole *role = data;
    if (role->planned)
        return copy_step(role->copy, error);
    StepResult result = copy_plan_step(role->copy, error);
    role->planned = result == STEP_DONE;
    return role->planned ? STEP_WORKED : result;
}

/* The name of a snapshot that was found gone is taken away. */
static bool copy_look(Process *process, void *data, GError **error)
{
    const CopyRole *role = data;
    return role->snapshot == NULL || !copy_board_snapshot_lost(role->board) ||
           control_snapshot_forget(&process->control, role->snapshot, error);
}

static bool copy_finish(Process *process, GError **error)
{
    return control_copy_finish(&process->control, error);
}

/* ---- apply ---- */

static void *apply_start(Process *process, GError **error)
{
    g_autofree char *phase = NULL, *consistent = NULL;
    if (!control_get(&process->control, "phase", &phase, error) ||
        !control_get(&process->control, "consistent_position", &consistent, error))
        return NULL;
    if (strcmp(phase, "copying") == 0)
        return NULL;
    ApplySettings settings = {.migration = &world.migration,
                              .source = &sim_source_ops,
                              .bus = &sim_bus_ops,
                              .target = &sim_target_ops,
                              .epoch = process->epoch,
                              .runtime = &process->runtime,
                              .consistent = strcmp(phase, "streaming") == 0};
    if (!settings.consistent && !position_parse(consistent, &settings.until))
        world_fail("the consistent position is \"%s\"", consistent);
    return apply_new(&settings, error);
}

static StepResult apply_role_step(void *role, GError **error)
{
    return apply_step(role, error);
}

static void apply_role_free(void *role)
{
    apply_free(role);
}

static bool apply_finish(Process *process, GError **error)
{
    return control_set(&process->control, "phase", "streaming", error);
}

static bool apply_look(Process *process, void *role, GError **error)
{
    (void)role;
    g_autofree char *phase = NULL;
    return control_get(&process->control, "phase", &phase, error);
}

const RoleKind role_kinds[N_ROLES] = {
    [ROLE_CAPTURE] = {"capture", capture_start, capture_role_step, capture_role_free, capture_look,
                      NULL},
    [ROLE_COPY] = {"copy", copy_start, copy_role_step, copy_role_free, copy_look, copy_finish},
    [ROLE_APPLY] = {"apply", apply_start, apply_role_step, apply_role_free, apply_look,
                    apply_finish},
};

const char *role_name(Role role)
{
    return role_kinds[role].name;
}
