#!/usr/bin/env bash
# Measures drover beside what people use otherwise, on this machine, in one run: prints ratios.
# usage: tests/bench/run.sh [copy] [backlog] [updates] [latency] [--scale N] [--transactions N] [--rounds N] [--socket]
#   copy      the existing rows: COPY | COPY, pgcopydb, drover
#   backlog   TPC-B changes that lie in the WAL: native logical replication, pg_recvlogical to nowhere, drover
#   updates   the same with random single-row updates
#   latency   commit to visible at 500 transactions a second: native logical replication, drover
# Without a name all of them. The numbers of one run belong together; do not compare across runs.
set -euo pipefail
cd "$(dirname "$0")/../.."
deploy/install-packages.sh build run bench
deploy/install-packages.sh test
cmake --preset release >/dev/null
cmake --build build/release --target drover -- --quiet
[ -d build/venv ] || python3 -m venv build/venv
build/venv/bin/pip -q install --disable-pip-version-check 'psycopg[binary]'
exec build/venv/bin/python tests/bench/bench.py --drover build/release/drover "$@"
