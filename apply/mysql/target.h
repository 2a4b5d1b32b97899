/*
 * The driver of TargetOps (proto/target.h) for MySQL and MariaDB.
 */
#pragma once

#include "proto/target.h"

extern const TargetOps mysql_target_ops;
