/*
 * Dialect: descriptions in the words of a target's engine, as steps. Used by ddl_across.c alone.
 *
 * Each function adds the steps of one table; what the target does not get is told through
 * ddl_leave_out. An index that is made is marked so.
 */
#pragma once

#include "schema/ddl_internal.h"
#include "schema/description.h"

typedef struct Across {
    DdlPlan *plan;
    GPtrArray *descriptions; /* TableDescription *, of all tables */
    GHashTable *constraints; /* qualified names of checks and foreign keys on the target */
    bool same_product;       /* expressions mean the same on both sides */
} Across;

typedef struct Dialect {
    /* The table, with whatever must be there before its rows. */
    void (*table)(Across *across, TableDescription *description);
    void (*key)(Across *across, TableDescription *description, IndexDescription *index);
    /* All indexes but the key. */
    void (*indexes)(Across *across, TableDescription *description);
    /* A key whose columns and referenced table are on the target. */
    void (*foreign_key)(Across *across, const TableDescription *description,
                        const TableDescription *referenced, const ForeignKeyDescription *key);
} Dialect;

extern const Dialect dialect_pg;
extern const Dialect dialect_mysql;

/* Whether an index can be made at all; else tells why not. methods: those of the target, ending
 * with NULL. */
bool across_can_index(Across *across, const TableDescription *description,
                      const IndexDescription *index, const char *const *methods);

/* "column x: its default (...) will not be created". */
void across_leave_default(Across *across, const TableDescription *description,
                          const ColumnDescription *column);

/* The quoted names of columns (char *), with ", " between them (g_free). */
char *across_names(const Across *across, const GPtrArray *columns);
