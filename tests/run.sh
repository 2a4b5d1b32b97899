#!/usr/bin/env bash
# Everything that must hold, on one machine: builds with gcc and clang, sanitizers, valgrind, fuzz targets,
# and end-to-end tests on real servers, all through ctest. Installs what it needs; starts and stops its own servers.
# usage: tests/run.sh [--full]   --full: long versions (30 kills, 10 in each pair of engines, 100 instants through Kafka,
#                            10 million rows, scale 20, longer fuzzing, 100 million steps of the simulation)
set -euo pipefail
cd "$(dirname "$0")/.."
simulation_steps=5000000
case ${1:-} in
"") ;;
--full)
  simulation_steps=100000000
  export DROVER_E2E_SCALE=20 DROVER_E2E_KILLS=30 DROVER_E2E_PAIR_KILLS=10 DROVER_E2E_ALL=1 \
    DROVER_E2E_HUGE_ROWS=10000000 DROVER_FUZZ_SECONDS=300 DROVER_E2E_INSTANTS=100 DROVER_E2E_STOP_SECONDS=30
  ;;
*) sed -n '2,5s/^# //p' "$0"; exit 2 ;;
esac
jobs=$(nproc)
step() { printf '\n== %s (%s s)\n' "$*" "$SECONDS"; }

step "packages"
deploy/install-packages.sh build run test
python3 -m venv build/venv
build/venv/bin/pip -q install --disable-pip-version-check pytest 'psycopg[binary]' \
  confluent-kafka grpcio-tools protobuf xxhash PyMySQL
export PATH="$PWD/build/venv/bin:$PATH"
# GLib's slice allocator hands memory from thread to thread in ways that TSan takes for races.
export G_SLICE=always-malloc
servers() { build/venv/bin/python tests/support/servers.py --kafka --mysql -- "$@"; }
build() { step "build $1"; cmake --preset "$1" >/dev/null; cmake --build "build/$1" -j "$jobs" -- --quiet; }
check() { # PRESET REGEX-OF-LABELS [ctest options]
  local preset=$1 labels=$2; shift 2
  step "$preset: $labels"
  servers ctest --test-dir "build/$preset" --output-on-failure --no-tests=error -j "$jobs" -L "^($labels)\$" "$@"
}

step "format"
git ls-files '*.c' '*.h' | xargs clang-format --dry-run -Werror

build release
build asan
build tsan
build clang
check asan 'unit|integration|simulation'
# What one thread does with a server alone is left to the other builds.
check tsan 'unit|integration' -E '^integration\.test_(mysql_|read_|catalog_|ddl|binlog_|check|connection_|stored_)'
check clang 'unit|fuzz'
check release 'model'
step "release: valgrind over the unit tests"
for program in build/release/tests/test_*; do
  [ -f "$program" ] && [ -x "$program" ] || continue
  name=$(basename "$program")
  [ -n "$(find tests/unit -name "$name.c")" ] || continue
  DROVER_SHORT=1 valgrind -q --error-exitcode=9 --leak-check=full --errors-for-leak-kinds=definite "$program" >/dev/null 2>"build/$name.valgrind" ||
    { cat "build/$name.valgrind"; echo "valgrind: $name" >&2; exit 1; }
done
step "oracle's client library"
tests/oracle_client.sh
check asan 'support|e2e' -j $((jobs + 1))
check tsan e2e-threads
DROVER_SIM_STEPS=$simulation_steps check release 'simulation|planted'
check release 'e2e-memory|e2e-release' -j $((jobs + 1))
step "all passed"
