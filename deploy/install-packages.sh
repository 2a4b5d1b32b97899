#!/usr/bin/env bash
# Installs the Debian packages that drover needs. usage: install-packages.sh build|run|kafka|mysql|test|bench...
#   build: compiler and libraries; run: throwaway servers for the quickstart; kafka: a throwaway broker for it;
#   mysql: a throwaway MariaDB, and what unpacks MySQL; test: what tests/run.sh adds; bench: what drover is measured beside
# Does nothing where all of them are there already. Needs root, or sudo.
set -euo pipefail
build="gcc cmake ninja-build pkg-config protobuf-c-compiler libprotobuf-c-dev libglib2.0-dev libpq-dev
  libsqlite3-dev libyaml-dev libjansson-dev libxxhash-dev librdkafka-dev libc6-dev
  default-libmysqlclient-dev libzstd-dev zlib1g-dev"
run="postgresql postgresql-contrib"
kafka="openjdk-17-jre-headless maven"
mysql="mariadb-server-core mariadb-client-core debian-archive-keyring"
tests="clang clang-format libclang-rt-14-dev llvm-14 libcmocka-dev valgrind patch python3 python3-venv openssl iproute2
  spin $mysql $kafka"
bench="pgcopydb pgloader"
wanted=
for set in "$@"; do
  case $set in
  build) wanted="$wanted $build" ;;
  run) wanted="$wanted $run" ;;
  kafka) wanted="$wanted $kafka" ;;
  mysql) wanted="$wanted $mysql" ;;
  test) wanted="$wanted $tests" ;;
  bench) wanted="$wanted $bench" ;;
  *) echo "usage: install-packages.sh build|run|kafka|mysql|test|bench..." >&2; exit 2 ;;
  esac
done
missing=
for package in $wanted; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "installing:$missing"
as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || { echo "not root and no sudo: install these yourself:$missing" >&2; exit 1; }
  as_root=sudo
fi
export DEBIAN_FRONTEND=noninteractive
# A server that the package would start by itself is not wanted: the tests start their own.
if [ ! -e /etc/postgresql-common/createcluster.conf ] && [[ $missing == *postgresql* ]]; then
  $as_root mkdir -p /etc/postgresql-common
  echo 'create_main_cluster = false' | $as_root tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
$as_root apt-get -qq update
$as_root apt-get -qq install -y --no-install-recommends $missing >/dev/null
