#!/usr/bin/env bash
# Checks the Promela models of this folder with spin, exhaustively.
# usage: check.sh [--deep] [--build FOLDER] [MODEL...]   --deep: larger bounds, minutes and gigabytes
#
# For each model: the whole state space without an error, every statement reached (so the covers too); it always
# comes to rest (ltl settles); and each planted bug gives a counterexample. Lines of a model's header steer it:
#   bug NAME: what it plants      deep NAME=N ...      liveness NAME=N ... (bounds of that run)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "$here/../.." && pwd)/build/model
deep=
models=
memory=850 # MB each for the two that run at a time
while [ $# -gt 0 ]; do
  case $1 in
  --deep) deep=1; memory=6000 ;;
  --build) build=$2; shift ;;
  -*) sed -n '3s/^# //p' "$0"; exit 2 ;;
  *) models="$models $1" ;;
  esac
  shift
done
[ -n "$models" ] || models=$(cd "$here" && ls ./*.pml | sed 's/.pml$//;s/^..//')
for model in $models; do
  [ -f "$here/$model.pml" ] || { echo "check.sh: there is no model $model" >&2; exit 2; }
done
command -v spin >/dev/null || { echo "check.sh: spin is missing: deploy/install-packages.sh test" >&2; exit 1; }
mkdir -p "$build" || exit 1
build=$(cd "$build" && pwd)

# What the header of a model says: bugs, or the bounds of a kind of run.
bugs() { sed -n 's/^ \* bug \([A-Z0-9_]*\): .*/\1/p' "$here/$1.pml"; }
bounds() { sed -n "s/^ \* $2 \(.*\)/\1/p" "$here/$1.pml" | tr ' ' '\n' | sed '/./s/^/-D/' | tr '\n' ' '; }

# run NAME "SPIN OPTIONS" "CC OPTIONS" "PAN OPTIONS" MODEL: leaves what the verifier says in NAME/out.
run() {
  local folder=$build/$1
  rm -rf "$folder"
  mkdir -p "$folder" && cd "$folder" || return 1
  { spin $2 -a "$here/$5.pml" && gcc -w $3 -DCOLLAPSE -DMEMLIM=$memory -o pan pan.c && ./pan -m2000000 $4; } >out 2>&1
}

# Not truncated: by depth, by memory, by a signal.
whole() { ! grep -q 'Search not completed\|max search depth\|MEMLIM\|out of memory\|aborting' "$1" && grep -q '^pan: elapsed time' "$1"; }
number() { sed -n "s/$1/\1/p" "$2" | head -1; }
# pan writes states beyond 10^8 as 1.2e+08
summary() {
  printf '%s states, depth %s, %s MB, %s s' "$(number ' *\([0-9.e+]*\) states, stored.*' "$1")" \
    "$(number '.*depth reached \([0-9]*\).*' "$1")" "$(number ' *\([0-9]*\)[.0-9]*.total actual memory usage' "$1")" \
    "$(number 'pan: elapsed time \([0-9.e+-]*\) .*' "$1")"
}
fail() { echo "FAIL  $1: see $build/$2/out"; return 1; }

# A switch that no line of the header names would be a bug that nobody plants.
check_switches() {
  local known stray
  known=" LTL $(bugs "$1" | tr '\n' ' ') $(sed -n 's/^#ifndef \([A-Z]*\)$/\1/p' "$here/$1.pml" | tr '\n' ' ')"
  stray=$(grep '^#\(if\|elif\)' "$here/$1.pml" | grep -o '[A-Z][A-Z0-9_]*' | sort -u |
    while read -r name; do [[ $known == *" $name "* ]] || echo "$name"; done)
  [ -z "$stray" ] || { echo "FAIL  $1: switches that its header does not name:" $stray; return 1; }
}

check_safety() {
  check_switches "$1" || return
  local name=$1-safety out=$build/$1-safety/out unreached
  run "$name" "-o3 $(bounds "$1" "${deep:+deep}")" "-O2 -DSAFETY" "" "$1"
  grep -q 'errors: 0$' "$out" && whole "$out" || { fail "$1: every state" "$name"; return; }
  [ -z "$deep" ] || { echo "ok    $1: $(summary "$out")"; return; } # its bounds leave out some cases
  # Without merged statements what was not reached is listed; endless processes do not end.
  unreached=$(sed -n '/^unreached in/,$p' "$out" | grep 'pml:' | grep -v '"-end-"')
  [ -z "$unreached" ] || { echo "$unreached"; fail "$1: statements that no run reaches" "$name"; return; }
  echo "ok    $1: $(summary "$out"), $(grep -c 'cover("\|printf("' "$here/$1.pml") covers reached"
}

check_liveness() {
  local name=$1-settles out=$build/$1-settles/out
  run "$name" "-DLTL $(bounds "$1" liveness)" "-O2" "-a -N settles" "$1"
  grep -q 'errors: 0$' "$out" && grep -q 'never claim.*+ (settles)' "$out" && whole "$out" ||
    { fail "$1: comes to rest" "$name"; return; }
  echo "ok    $1: comes to rest: $(summary "$out")"
}

check_bug() {
  local name=$1-$2 out=$build/$1-$2/out found
  run "$name" "-D$2 $(bounds "$1" none)" "-O1 -DSAFETY" "" "$1"
  grep -q "\(ifdef\|ifndef\|defined(\) *$2\b" "$here/$1.pml" || { fail "$1: $2 plants nothing" "$name"; return; }
  found=$(sed -n 's/^pan:1: \(assertion .*\)/\1/p' "$out" | head -1)
  grep -q 'errors: 1$' "$out" && [ -n "$found" ] || { fail "$1: $2 is not caught" "$name"; return; }
  echo "ok    $1: $2 caught: $(printf %.70s "$found")"
}

start=$SECONDS
export -f run check_switches bugs bounds whole number summary fail check_safety check_liveness check_bug
export here build deep memory
# The long runs first, two at a time.
{
  for model in $models; do echo "check_safety $model"; done
  [ -n "$deep" ] || for model in $models; do
    echo "check_liveness $model"
    for bug in $(bugs "$model"); do echo "check_bug $model $bug"; done
  done
} | xargs -P 2 -I{} bash -c '{} || exit 1' | tee "$build/result"
status=$?
echo "$(grep -c '^ok' "$build/result") passed, $(grep -c '^FAIL' "$build/result") failed in $((SECONDS - start)) s"
exit $((status != 0))
