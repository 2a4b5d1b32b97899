/*
 * What the supervisor of a real drover does for one role: takes the role's lock and epoch, makes
 * the role, steps it, makes a new one after a failure that trying again may mend, looks after the
 * session that holds the lock.
 */
#include "tests/simulation/process.h"

#include "proto/error.h"
#include "tests/simulation/roles.h"
#include "tests/simulation/sim_target.h"
#include "tests/simulation/world.h"

#define BACKOFF (200 * 1000)
#define LOOKS 8 /* one of so many steps looks after the session that holds the lock */

/* ---- calls ---- */

Process *process_current(void)
{
    return fiber_current_user();
}

static bool fail_call(const char *what, const char *why, GError **error)
{
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RETRY, "%s: %s", what, why);
    return false;
}

static bool fault_is_due(void)
{
    return !world.calm && one_in(world.weather.call_fails);
}

bool call_begin(const char *what, GError **error)
{
    Process *self = process_current();
    if (self == NULL)
        return true;
    if (self->killed)
        return fail_call(what, "killed", error);
    self->call = what;
    fiber_yield();
    if (self->killed) {
        bool effect = self->last_call;
        self->last_call = false;
        return effect || fail_call(what, "killed", error);
    }
    trace("%s", what);
    if (!fault_is_due())
        return true;
    COVER(call_fails);
    trace("   ... fails without an effect");
    return fail_call(what, "the connection is lost", error);
}

bool call_end(GError **error)
{
    const Process *self = process_current();
    if (self == NULL)
        return true;
    if (self->killed)
        return fail_call(self->call, "killed", error);
    if (!fault_is_due())
        return true;
    COVER(answer_is_lost);
    trace("   ... is done, and the answer is lost");
    return fail_call(self->call, "the connection is lost", error);
}

bool call_wait(const char *why, GError **error)
{
    Process *self = process_current();
    if (!self->killed) {
        self->call = why;
        fiber_yield();
    }
    return !self->killed || fail_call(why, "killed", error);
}

/* ---- the runtime ---- */

static gint64 runtime_now(Runtime *runtime)
{
    (void)runtime;
    return world.clock += 1 + pick(200);
}

/* Time passes at once: everybody who waits may find that its time is over. */
static void runtime_wait(Runtime *runtime, gint64 duration)
{
    Process *self = runtime->user;
    if (self->killed || runtime_stopping(runtime))
        return;
    call_wait("waits", NULL);
    world.clock += duration;
}

/* ---- life ---- */

static bool is_leaving(const Process *self)
{
    return self->killed || self->refused || self->worker_done || runtime_stopping(&self->runtime);
}

bool process_is_superseded(const Process *process)
{
    g_autofree char *lease = process->role == ROLE_COPY
                                 ? g_strdup_printf("copy-%" G_GUINT64_FORMAT, process->epoch)
                                 : g_strdup(role_name(process->role));
    return process->has_epoch && !sim_target_has_lease(lease, process->epoch);
}

static void drop_control(Process *self)
{
    if (self->control.target != NULL)
        sim_target_ops.close(self->control.target);
    self->control.target = NULL;
    self->take_over &= !self->has_epoch;
}

/* Who is refused may have been fenced off: then the control session is gone as well, and who may
 * have the role is for the target to say. */
static void look_whether_refused(Process *self, const GError *error)
{
    if (!process_is_superseded(self))
        world_fail("%s: %s", self->name, error->message);
    COVER(superseded_is_refused);
    g_autofree char *phase = NULL;
    g_autoptr(GError) lost = NULL;
    if (self->control.target != NULL && control_get(&self->control, "phase", &phase, &lost))
        self->refused = true;
    else
        drop_control(self);
}

/* A failure that trying again may mend is waited out. Any other is right only where another process
 * has taken the role: then it may be refused, or find the bus trimmed behind what that one needs.
 */
static void outlast(Process *self, GError *error)
{
    trace("   failed: %s", error->message);
    if (g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO))
        look_whether_refused(self, error);
    else if (!drover_error_is_retry(error) &&
             (!g_error_matches(error, DROVER_ERROR, DROVER_ERROR_PERSON) ||
              !process_is_superseded(self)))
        world_fail("%s: %s", self->name, error->message);
    g_error_free(error);
    if (self->control.target != NULL && sim_target_is_lost(self->control.target))
        drop_control(self);
    self->runtime.wait(&self->runtime, BACKOFF);
}

static void note_epoch(Process *self, guint64 epoch)
{
    trace("   has epoch %" G_GUINT64_FORMAT, epoch);
    self->epoch = epoch;
    self->has_epoch = true;
}

static void take_role(Process *self)
{
    GError *error = NULL;
    guint64 epoch = 0;
    Target *session = sim_target_ops.connect(world.migration.target, "drover shop control", &error);
    self->control = (Control){&sim_target_ops, session, &world.migration};
    bool (*take)(Control *, const char *, bool, guint64 *, GError **) =
        self->role == ROLE_COPY ? control_join_role : control_take_role;
    if (session != NULL &&
        take(&self->control, role_name(self->role), self->take_over, &epoch, &error)) {
        note_epoch(self, epoch);
        return;
    }
    drop_control(self);
    if (g_error_matches(error, DROVER_ERROR, DROVER_ERROR_NO)) {
        trace("   refused: %s", error->message);
        COVER(second_is_refused);
        self->refused = true;
        g_error_free(error);
    } else {
        outlast(self, error);
        self->refused |= !self->has_epoch;
    }
}

/* The session that holds the lock, from time to time: without it the role may be another's. */
static bool look_after(Process *self, void *role)
{
    g_autoptr(GError) error = NULL;
    if (!one_in(LOOKS) || role_kinds[self->role].look(self, role, &error))
        return true;
    trace("   the control session is lost: %s", error->message);
    drop_control(self);
    return false;
}

static bool step_role(Process *self, void *role, GError **error)
{
    const RoleKind *kind = &role_kinds[self->role];
    while (!is_leaving(self) && look_after(self, role)) {
        StepResult result = kind->step(role, error);
        if (result == STEP_DONE) {
            trace("   is done");
            return true;
        }
        if (result == STEP_FAILED)
            return false;
    }
    return false;
}

static void run_role(Process *self)
{
    const RoleKind *kind = &role_kinds[self->role];
    GError *error = NULL;
    void *role = kind->start(self, &error);
    bool done = role != NULL && step_role(self, role, &error);
    if (role != NULL)
        kind->free(role);
    if (done && kind->finish(self, &error))
        self->worker_done = self->role == ROLE_COPY;
    else if (done)
        drop_control(self);
    if (error != NULL)
        outlast(self, error);
    else if (role == NULL)
        self->runtime.wait(&self->runtime, BACKOFF);
}

static void process_main(void *user)
{
    Process *self = user;
    while (!is_leaving(self)) {
        if (self->control.target == NULL)
            take_role(self);
        else
            run_role(self);
    }
    drop_control(self);
    trace("ends");
}

Process *process_new(Role role, guint number, bool take_over)
{
    Process *process = g_new0(Process, 1);
    process->role = role;
    process->take_over = take_over;
    process->runtime = (Runtime){.now = runtime_now, .wait = runtime_wait, .user = process};
    process->call = "is to begin";
    g_snprintf(process->name, sizeof process->name, "%s#%u", role_name(role), number);
    process->fiber = fiber_new(process_main, process);
    return process;
}

void process_free(Process *process)
{
    process->killed = true;
    process->last_call = false;
    while (!process_is_done(process))
        fiber_resume(process->fiber);
    fiber_free(process->fiber);
    g_free(process);
}

bool process_is_done(const Process *process)
{
    return fiber_is_done(process->fiber);
}

void process_resume(Process *process)
{
    fiber_resume(process->fiber);
}
