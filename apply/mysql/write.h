#pragma once

#include "apply/mysql/session.h"

/* TargetOps.write. */
bool mysql_target_write(Target *target, NetTable *tables, guint n_tables, bool consistent,
                        GError **error);
