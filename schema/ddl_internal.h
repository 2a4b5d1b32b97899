/*
 * What the files that plan the target's schema share; nobody else includes it.
 */
#pragma once

#include "schema/ddl.h"

typedef struct DdlPlan {
    const Server *source;
    const Server *target;
    const GPtrArray *tables;
    GHashTable *taken;   /* qualified names of relations on the target */
    GPtrArray *steps;    /* DdlStep * */
    GPtrArray *last;     /* DdlStep *: what comes before the analyze steps */
    GPtrArray *left_out; /* char *; NULL: nobody asks */
} DdlPlan;

void ddl_add_step(DdlPlan *plan, const Table *table, const char *kind, const char *name,
                  const char *format, ...) G_GNUC_PRINTF(5, 6);
/* The same, behind the steps of all tables. */
void ddl_add_last_step(DdlPlan *plan, const Table *table, const char *kind, const char *name,
                       const char *format, ...) G_GNUC_PRINTF(5, 6);
void ddl_leave_out(DdlPlan *plan, const Table *table, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* Names as the target quotes them (g_free). */
char *ddl_quoted(const DdlPlan *plan, const char *name);
char *ddl_qualified(const DdlPlan *plan, const char *schema, const char *name);
char *ddl_target_of(const DdlPlan *plan, const Table *table);

/* Takes a name in a target schema out of `names` (qualified names): cut to what the target takes,
 * with a number behind it where it is taken (g_free). */
char *ddl_take_name(const DdlPlan *plan, GHashTable *names, const char *schema, const char *name);

/* Append all steps but those of schemas and analyze. */
bool ddl_plan_pg(DdlPlan *plan, GError **error);
bool ddl_plan_across(DdlPlan *plan, GError **error);
