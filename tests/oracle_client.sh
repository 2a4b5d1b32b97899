#!/usr/bin/env bash
# Builds drover with Oracle's MySQL client library, and runs the tests that touch MySQL against real servers.
# usage: tests/oracle_client.sh [FOLDER]     FOLDER: of the build (build/oracle)
#
# Debian 12 has MariaDB Connector/C alone. Oracle's library is in Debian's sid, for a newer C library: it is
# unpacked into a cache folder, drover is compiled as ever, linked with that library, and started by that folder's
# dynamic linker with its C library. All other libraries are those of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."
build=${1:-build/oracle}
root=${XDG_CACHE_HOME:-$HOME/.cache}/drover/mysqlclient-sid
libraries=$root/usr/lib/x86_64-linux-gnu
deploy/quickstart/mysql_packages.sh sid "$root" libmysqlclient-dev

# pkg-config shall find it and nothing else of that folder, whose other headers are of that suite.
mkdir -p "$build/client/include" "$build/client/lib/pkgconfig"
client=$(realpath "$build/client")
ln -sfn "$root/usr/include/mysql" "$client/include/mysql"
sed -e "s|^includedir=.*|includedir=$client/include|" -e "s|^libdir=.*|libdir=$libraries|" \
  -e 's|^Cflags:.*|Cflags: -I${includedir} -I${includedir}/mysql|' -e '/^Requires/d' \
  "$libraries/pkgconfig/mysqlclient.pc" >"$client/lib/pkgconfig/mysqlclient.pc"
# Its own libraries want symbols that this machine's C library lacks and that one has.
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DDROVER_MYSQL_CLIENT=oracle \
  -DCMAKE_PREFIX_PATH="$client" -DCMAKE_SKIP_RPATH=ON -DCMAKE_EXE_LINKER_FLAGS="-Wl,--allow-shlib-undefined \
-Wl,--dynamic-linker=$libraries/ld-linux-x86-64.so.2 -Wl,--disable-new-dtags,-rpath,$libraries" >/dev/null

names=
for source in tests/unit/*/test_{mysql,binlog}_*.c tests/unit/*/test_{executed,query,column_type,type_map}.c \
  tests/integration/test_{binlog,mysql,read_mysql}_*.c tests/integration/test_{read,catalog,connection}_mysql.c; do
  names="$names $(basename "$source" .c)"
done
cmake --build "$build" -j "$(nproc)" --target drover $names -- --quiet
[[ $(ldd "$build/drover") == *libmysqlclient.so* ]] || { echo "oracle_client.sh: drover has another client library" >&2; exit 1; }
python3 tests/support/servers.py --mysql -- ctest --test-dir "$build" --output-on-failure --no-tests=error \
  -j "$(nproc)" -R "^(unit|integration)\\.($(sed 's/ /|/g' <<<"${names# }"))\$"
