/*
 * The PostgreSQL driver of TargetOps (proto/target.h), for servers 14 to 18.
 */
#pragma once

#include "proto/target.h"

extern const TargetOps pg_target_ops;
