#!/usr/bin/env bash
# A throwaway MariaDB or MySQL server with everything it writes in one folder: row format, full metadata, GTIDs.
# MariaDB is Debian's package (install-packages.sh mysql). MySQL is only in Debian's sid: mysql_packages.sh unpacks
# it into build/mysql, and it runs through that folder's own dynamic linker.
# usage: mysql.sh prepare mysql|mariadb FOLDER      makes its data in FOLDER; root has no password
#        mysql.sh run mysql|mariadb FOLDER PORT     runs it on 127.0.0.1:PORT until SIGTERM
#        mysql.sh client PORT [ARGUMENT...]         Debian's client, as root
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)/build/mysql

server_of() { # ENGINE: sets server, what to start
  local user=()
  [ "$(id -u)" != 0 ] || user=(--user=root)
  if [ "$1" = mariadb ]; then
    server=(mariadbd --no-defaults "${user[@]}")
    return
  fi
  "$here/mysql_packages.sh" sid "$root" mysql-server-core
  local libraries=$root/usr/lib/x86_64-linux-gnu
  export OPENSSL_CONF=/dev/null OPENSSL_MODULES=$libraries/ossl-modules # the host's are for another library
  server=("$libraries/ld-linux-x86-64.so.2" --inhibit-cache --library-path "$libraries:$root/usr/lib/mysql/private"
    --argv0 "$root/usr/sbin/mysqld" "$root/usr/sbin/mysqld" --no-defaults "--basedir=$root/usr"
    "--lc-messages-dir=$root/usr/share/mysql" "--character-sets-dir=$root/usr/share/mysql/charsets"
    "--plugin-dir=$root/usr/lib/mysql/plugin" --secure-file-priv=NULL "${user[@]}")
}

prepare() { # ENGINE FOLDER
  mkdir -p "$2"
  if [ "$1" = mariadb ]; then
    mariadb-install-db --no-defaults "--datadir=$2/data" --auth-root-authentication-method=normal --skip-test-db \
      > "$2/log" 2>&1 || { cat "$2/log" >&2; exit 1; }
    return
  fi
  server_of mysql
  printf '%s\n' "create user root@'127.0.0.1' identified by '';" \
    "grant all on *.* to root@'127.0.0.1' with grant option;" > "$2/init.sql"
  "${server[@]}" --initialize-insecure "--datadir=$2/data" "--init-file=$2/init.sql" "--log-error=$2/log" ||
    { cat "$2/log" >&2; exit 1; }
}

run() { # ENGINE FOLDER PORT
  server_of "$1"
  local own=(--gtid-strict-mode=ON --binlog-format=ROW)
  [ "$1" = mariadb ] || own=(--gtid-mode=ON --enforce-gtid-consistency=ON --mysqlx=OFF)
  exec "${server[@]}" "--datadir=$2/data" "--socket=$2/socket" "--pid-file=$2/pid" "--log-error=$2/log" "--port=$3" \
    --bind-address=127.0.0.1 --server-id=1 --log-bin=binlog --binlog-row-image=FULL --binlog-row-metadata=FULL \
    --innodb-buffer-pool-size=256M --character-set-server=utf8mb4 --local-infile=ON "${own[@]}"
}

case ${1:-} in
prepare) prepare "$2" "$3" ;;
run) run "$2" "$3" "$4" ;;
client) exec mariadb --no-defaults -h127.0.0.1 -uroot -P "${@:2}" ;;
*) sed -n '2,7s/^# //p' "$0"; exit 2 ;;
esac
