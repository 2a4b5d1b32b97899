/*
 * What the files that run the steps of a DDL plan share; nobody else includes it.
 */
#pragma once

#include "schema/ddl.h"

/* A step that is not done. Texts of an Answer. */
typedef struct DdlPending {
    const char *number, *kind, *name, *statement;
    bool begun; /* where DDL commits by itself: it may have been run, by one who did not say so */
} DdlPending;

/* In the open transaction: records what the step will create. *needed false: it is there, and was
 * there before drover. */
bool ddl_step_record(Control *control, const DdlPending *step, bool *needed, GError **error);
/* Takes back the record of what the step did not create. */
bool ddl_step_forget(Control *control, const DdlPending *step, GError **error);
bool ddl_step_done(Control *control, const DdlPending *step, GError **error);

/* --- Where DDL commits by itself (schema/ddl_run_mysql.c) ------------------------------------- */

/* No session has the step's lock. */
#define DDL_STEP_IS_FREE                                                                           \
    " and is_used_lock(sha2(concat_ws('/', 'drover', migration, 'step', step), 224)) is null"

/* One step: in the worker's open data transaction, which has picked it, and ends here. *ran false
 * where another session was faster. */
bool ddl_step_apart(Control *control, const DdlWorker *worker, const DdlPending *step, bool *ran,
                    GError **error);
/* The steps of one table, as ddl_run_table. RETRY where another session is at them. */
bool ddl_table_apart(Control *control, const DdlWorker *worker, const char *table,
                     const DdlPending *steps, guint n, GError **error);
