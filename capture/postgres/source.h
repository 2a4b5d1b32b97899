/*
 * The PostgreSQL source (14 to 18): setup.c makes publication and slot, stream.c reads the log,
 * snapshot.c reads rows with bounds, chunk.c cuts tables into ranges, source.c does the rest.
 */
#pragma once

#include "proto/source.h"

/* The endpoint given to connect must outlive the handle. */
extern const SourceOps pg_source_ops;
