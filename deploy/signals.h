/*
 * Signals: SIGTERM and SIGINT set a runtime's stop flag; a second one ends the process at once.
 */
#pragma once

#include "proto/runtime.h"

/* runtime must live until the process ends, or until signals_forget. */
void signals_watch(Runtime *runtime);
void signals_forget(void);
