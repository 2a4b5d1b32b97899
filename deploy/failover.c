#include "deploy/failover.h"

#include "capture/resume.h"
#include "proto/error.h"

/* Nobody else appends: the role capture is this process's. */
static bool read_resume(const Context *context, Resume *resume, GError **error)
{
    const Migration *migration = context->migration;
    BusInfo info;
    Bus *bus = context->bus->open(&migration->bus, BUS_READ, error);
    bool found = bus != NULL && context->bus->info(bus, &info, error) &&
                 resume_find(context->bus, bus, &info, migration, resume, error);

    if (bus != NULL)
        context->bus->close(bus);
    if (!found || resume->resume != NULL)
        return found;
    g_set_error(error, DROVER_ERROR, DROVER_ERROR_BUG,
                "the bus has no GTIDs beside its last position");
    return false;
}

static bool check_reads(Context *context, Source *source, Position passed, GError **error)
{
    g_autoptr(GPtrArray) resumes = NULL;

    if (!control_reads_beyond(&context->control, passed, &resumes, error))
        return false;
    for (guint i = 0; i < resumes->len; i++)
        if (!context->source->check_history(source, g_ptr_array_index(resumes, i), error)) {
            g_prefix_error(error, "rows that the copy has read may be of lost transactions: ");
            return false;
        }
    return true;
}

/* The end of the new server's log and what it has up to there, which the bounds of a read say. */
static bool read_head(const Context *context, Source *source, ReadBounds *bounds, GError **error)
{
    return context->source->read_begin(source, NULL, bounds, error) &&
           context->source->read_end(source, bounds, error);
}

static bool accept_session(Context *context, Source *source, const char *identity, GError **error)
{
    g_auto(Resume) resume = {0};
    ReadBounds head = {0};
    bool accepted =
        read_resume(context, &resume, error) &&
        context->source->check_history(source, resume.resume, error) &&
        check_reads(context, source, resume.position, error) &&
        read_head(context, source, &head, error) &&
        control_change_server(&context->control, identity, head.high, head.high_resume, error);

    read_bounds_clear(&head);
    return accepted;
}

static bool fail_waiting(const Context *context, const char *identity, GError **error)
{
    const Endpoint *source = context->migration->source;

    g_set_error(error, DROVER_ERROR, DROVER_ERROR_RESTART,
                "%s is server %s, and the migration follows the log of %s: where that one is gone, "
                "start `drover run` or `drover capture` first, which checks the new one's history, "
                "then this process again",
                source->label, identity, source->server);
    return false;
}

bool failover_accept(Context *context, guint roles, const Stored *stored, const char *identity,
                     GError **error)
{
    Endpoint *endpoint = context->migration->source;
    g_autofree char *label = context_label(context, "failover");

    if ((roles & ROLE_CAPTURE) == 0)
        return fail_waiting(context, identity, error);
    g_message("%s is server %s and was %s: looking whether it has all that the migration has had",
              endpoint->label, identity, endpoint->server);
    g_free(endpoint->server);
    endpoint->server = g_strdup(identity);
    endpoint->era = stored->source_era + 1;
    Source *source = context->source->connect(endpoint, label, error);
    if (source == NULL)
        return false;
    bool accepted = accept_session(context, source, identity, error);
    context->source->close(source);
    if (accepted)
        g_message("the migration goes on with server %s", identity);
    return accepted;
}
