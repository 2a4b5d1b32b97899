/*
 * The MySQL and MariaDB source driver.
 */
#pragma once

#include "proto/source.h"

extern const SourceOps mysql_source_ops;
