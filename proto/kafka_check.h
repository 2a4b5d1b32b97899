/*
 * Kafka check: BusOps.check of the bus on Kafka: the cluster, the topic's settings, and the ACLs
 * that drover needs, each finding with the command that mends it.
 */
#pragma once

#include "proto/bus.h"

bool kafka_check(const BusOptions *options, BusNote note, void *user, GError **error);
