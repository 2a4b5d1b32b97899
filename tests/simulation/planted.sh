#!/usr/bin/env bash
# Shows that the simulation would find bugs that it is there for: each patch of tests/simulation/planted is
# applied to a copy of the tree, the simulation is built there and must fail. Prints a line a patch. Exits with 1
# where a bug is not found, a patch does not apply any more, or the tree fails without any.
# usage: tests/simulation/planted.sh SCRATCH-FOLDER [NAME...]
set -euo pipefail
steps=20000000 # most that a bug may take to be found
unset DROVER_SIM_STEPS
[ $# -ge 1 ] || { sed -n '2,5s/^# //p' "$0"; exit 2; }
scratch=$1
shift
cd "$(dirname "$0")/../.."
if [ $# -eq 0 ]; then
  set -- $(cd tests/simulation/planted && ls *.patch | sed 's/\.patch$//')
fi

rm -rf "$scratch"
mkdir -p "$scratch/tree"
cp -r CMakeLists.txt cmake proto schema capture apply deploy tests "$scratch/tree"
cmake -S "$scratch/tree" -B "$scratch/build" -G Ninja -DCMAKE_C_FLAGS=-O1 >/dev/null
build() { ninja -C "$scratch/build" -j2 --quiet simulation; }
run() { "$scratch/build/tests/simulation" "$@" >"$scratch/output" 2>&1; }

build
run || { tail -5 "$scratch/output"; echo "the simulation fails without a planted bug" >&2; exit 1; }
failed=0
for name in "$@"; do
  patch=tests/simulation/planted/$name.patch
  if ! patch -d "$scratch/tree" -p1 --forward --fuzz=0 --quiet <"$patch"; then
    echo "$name: the patch does not apply any more" >&2
    exit 1
  fi
  build
  if run --steps "$steps" || ! grep -q '^FAILED seed' "$scratch/output"; then
    echo "$name: NOT FOUND"
    failed=1
  else
    echo "$name: $(sed -n 's/^FAILED //p' "$scratch/output")"
  fi
  patch -d "$scratch/tree" -p1 --reverse --fuzz=0 --quiet <"$patch"
done
exit $failed
