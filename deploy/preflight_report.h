/*
 * Preflight report: what check_preflight found, for people and as JSON; used by `plan` and by a
 * `run` that must refuse.
 */
#pragma once

#include "schema/check.h"

#include <glib.h>
#include <jansson.h>
#include <stdio.h>

/* Rough, from the sizes alone; `plan` says on what assumption. */
typedef struct PlanEstimate {
    gint64 copy_seconds;
    gint64 disk_bytes; /* on the target */
} PlanEstimate;

PlanEstimate preflight_estimate(const Preflight *preflight);
extern const char preflight_assumption[];

/* Findings of `least` and graver, FAIL last so that it stands next to the prompt. */
void preflight_print_findings(const Preflight *preflight, FindingLevel least, FILE *out);
guint preflight_count(const Preflight *preflight, FindingLevel level);

/* Everything `plan` says. */
void preflight_print(const Migration *migration, const Preflight *preflight, FILE *out);
json_t *preflight_json(const Migration *migration, const Preflight *preflight);
