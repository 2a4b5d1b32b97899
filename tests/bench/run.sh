#!/usr/bin/env bash
# Measures drover beside what people use otherwise, on this machine, in one run: prints ratios.
# usage: tests/bench/run.sh [copy] [backlog] [updates] [latency] [--scale N] [--transactions N] [--rounds N] [--socket]
#   copy      the existing rows: COPY | COPY, pgcopydb, drover
#   backlog   TPC-B changes that lie in the WAL: native logical replication, pg_recvlogical to nowhere, drover
#   updates   the same with random single-row updates
#   latency   commit to visible at 500 transactions a second: native logical replication, drover
#        tests/bench/run.sh mysql [copy] [drain] [latency] [--engine mariadb|mysql] [--scale N] [--transactions N]
#                                 [--rounds N] [--only WORD,...]   from MariaDB or MySQL 9 to PostgreSQL
#   copy      the existing rows: mysql -B | COPY, pgloader (MariaDB only), drover
#   drain     TPC-B changes that lie in the binary log: Debezium through Kafka, drover, drover through Kafka
#   latency   commit to visible at 500 transactions a second: Debezium through Kafka, drover
# Without a name all of them. The numbers of one run belong together; do not compare across runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
program=tests/bench/bench.py
if [ "${1:-}" = mysql ]; then program=tests/bench/mysql.py; shift; fi
deploy/install-packages.sh build run bench
deploy/install-packages.sh test
cmake --preset release >/dev/null
cmake --build build/release --target drover -- --quiet
[ -d build/venv ] || python3 -m venv build/venv
build/venv/bin/pip -q install --disable-pip-version-check 'psycopg[binary]' PyMySQL confluent-kafka
exec build/venv/bin/python "$program" --drover build/release/drover "$@"
