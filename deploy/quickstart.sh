#!/usr/bin/env bash
# Watch a live database move to PostgreSQL: installs what is needed, builds drover, starts two throwaway
# servers with a shop under load, moves the shop while it is being written to, verifies it under load,
# stops the load, proves both sides equal with an independent reader, and cleans up.
# usage: deploy/quickstart.sh [--source postgresql|mysql|mariadb] [--orders N] [--bus local|kafka] [--keep]
#   on Debian 12, as root or with sudo
#   --source mysql: Oracle's server, which is unpacked from Debian sid; mariadb: Debian 12's own
#   --bus kafka: the changes go through a topic of a throwaway Kafka broker, which Maven fetches by name
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
orders=200000 bus=local engine=postgresql keep=
while [ $# -gt 0 ]; do
  case $1 in
  --orders) orders=$2; shift ;;
  --bus) bus=${2:-}; [[ $bus =~ ^(local|kafka)$ ]] || { echo "--bus $bus: local or kafka" >&2; exit 2; }; shift ;;
  --keep) keep=1 ;;
  --source)
    engine=${2:-}; shift
    [[ $engine =~ ^(postgresql|mysql|mariadb)$ ]] || { echo "--source $engine: postgresql, mysql or mariadb" >&2; exit 2; } ;;
  *) sed -n '2,8s/^# //p' "$0"; exit 2 ;;
  esac
  shift
done
step() { printf '\n\033[1m== %s\033[0m\n' "$*"; }

step "Packages and build"
"$here/deploy/install-packages.sh" build run $([ $bus = local ] || echo kafka) \
  $([ $engine = postgresql ] || echo mysql)
cmake -S "$here" --preset release >/dev/null
cmake --build "$here/build/release" --target drover
drover=$here/build/release/drover

work=$(mktemp -d /tmp/drover-quickstart.XXXXXX)
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1)
as=()
if [ "$(id -u)" = 0 ]; then
  chown postgres "$work"; chmod 755 "$work"
  as=(setpriv --reuid=postgres --regid=postgres --clear-groups)
fi
loads=() run= broker= source_server=
stop_load() {
  for session in "${loads[@]}"; do kill "$session" 2>/dev/null || true; done
  for session in "${loads[@]}"; do wait "$session" 2>/dev/null || true; done
  loads=()
}
cleanup() {
  status=$?
  stop_load
  [ -z "$run" ] || kill "$run" 2>/dev/null || true
  [ -z "$broker" ] || kill "$broker" 2>/dev/null || true
  [ -z "$source_server" ] || kill "$source_server" 2>/dev/null || true
  wait 2>/dev/null || true
  for side in source target; do
    [ ! -f "$work/$side/postmaster.pid" ] || (cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/$side" -m fast -w stop >/dev/null) || true
  done
  if [ -n "$keep" ] || [ $status != 0 ]; then echo "left for you to look at: $work"; else rm -rf "$work"; fi
}
trap cleanup EXIT

start_server() { # NAME PORT
  (cd / && "${as[@]}" "$bin/initdb" -D "$work/$1" -U postgres -A trust --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null)
  printf "%s\n" "port=$2" "listen_addresses='127.0.0.1'" "unix_socket_directories='$work'" wal_level=logical \
    max_wal_size=2GB >> "$work/$1/postgresql.conf"
  (cd / && "${as[@]}" "$bin/pg_ctl" -D "$work/$1" -w -l "$work/$1.log" start >/dev/null)
}
free_port() { # a loopback port that nobody answers on
  local port
  while port=$((20000 + RANDOM)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
  echo "$port"
}

kafka=$here/deploy/quickstart/kafka.sh
start_broker() { # PORT
  "$kafka" jars
  "$kafka" single "$work/kafka" "$1" "$(free_port)"
  "$kafka" run "$work/kafka" > "$work/kafka.log" 2>&1 &
  broker=$!
  "$kafka" wait "127.0.0.1:$1"
}

psql=("$bin/psql" -Xq -v ON_ERROR_STOP=1)
shop_in_postgresql() {
  start_server source "$source_port"
  "${psql[@]}" -c 'create database shop' "postgresql://postgres@127.0.0.1:$source_port/postgres"
  "${psql[@]}" -v orders="$orders" "$from" -f "$here/deploy/quickstart/shop.sql"
  "$bin/pgbench" -n -c 4 -j 1 -T 3600 -R 300 -f "$here/deploy/quickstart/load.pgbench" "$from" >/dev/null 2>&1 &
  loads=($!)
}
mysql=$here/deploy/quickstart/mysql.sh
shop_in_mysql() {
  "$mysql" prepare $engine "$work/mysql"
  "$mysql" run $engine "$work/mysql" "$source_port" &
  source_server=$!
  until "$mysql" client "$source_port" -e 'create database shop' 2>/dev/null; do
    kill -0 "$source_server" || { cat "$work/mysql/log" >&2; exit 1; }
    read -rt 0.2 <> <(:) || true
  done
  { echo "set @orders = $orders;"; cat "$here/deploy/quickstart/shop.mysql.sql"; } | "$mysql" client "$source_port" shop
  for session in 1 2 3 4; do
    "$mysql" client "$source_port" shop --force >/dev/null 2>&1 \
      < <(exec awk -v seed=$session -v orders="$orders" -f "$here/deploy/quickstart/load.mysql.awk") &
    loads+=($!)
  done
}

step "Two throwaway servers, and a shop with $orders orders on the first"
source_port=$(free_port) target_port=$(free_port)
start_server target "$target_port"
to=postgresql://postgres@127.0.0.1:$target_port/shop
"${psql[@]}" -c 'create database shop' "postgresql://postgres@127.0.0.1:$target_port/postgres"
if [ $engine = postgresql ]; then
  from=postgresql://postgres@127.0.0.1:$source_port/shop
  shop_in_postgresql
else
  from=mysql://root@127.0.0.1:$source_port/shop
  shop_in_mysql
fi
echo "four sessions now place, pay, cancel and ship orders, 300 transactions a second"

if [ $bus = kafka ]; then
  step "A throwaway Kafka broker"
  kafka_port=$(free_port); start_broker "$kafka_port"
  echo "it answers on 127.0.0.1:$kafka_port"
fi

step "The migration file, and what drover plan says"
cat > "$work/shop.yaml" <<X
migration: shop
source:
  url: $from
target:
  url: $to
X
[ $bus = local ] || cat >> "$work/shop.yaml" <<X
bus:
  kafka: {bootstrap_servers: "127.0.0.1:$kafka_port", topic: drover.shop.changes, replication_factor: 1}
X
[ $engine = postgresql ] || echo 'tables: [{source: "shop.*", target: "public.*"}]' >> "$work/shop.yaml"
cat "$work/shop.yaml"
"$drover" plan "$work/shop.yaml"

step "drover run"
"$drover" run "$work/shop.yaml" &
run=$!
phase() { "$drover" status "$work/shop.yaml" --json 2>/dev/null | sed -n 's/.*"phase": *"\([a-z_]*\)".*/\1/p' | head -1; }
until [ "$(phase)" = streaming ]; do
  kill -0 "$run" 2>/dev/null || { wait "$run"; exit 1; }
  read -rt 0.3 <> <(:) || true
done

step "drover verify, while the shop is open"
"$drover" verify "$work/shop.yaml"

step "The load stops; both sides are read by their own clients and compared row by row"
stop_load
"$drover" verify "$work/shop.yaml"
digest() { LC_ALL=C sort | tee >(wc -l >&2) | sha256sum; }
read_all() { # every row of every table of a PostgreSQL database as text
  "$bin/psql" -XAtq "$1" -c "select format('select %L, t::text from %s t', c.oid::regclass, c.oid::regclass)
      from pg_class c where relkind = 'r' and relnamespace = 'public'::regnamespace order by 1" |
    while read -r query; do "$bin/psql" -XAtq "$1" -c "$query"; done
}
read_like_mysql() { "$bin/psql" -XAtq -F $'\t' "$1" -f "$here/deploy/quickstart/read.pg.sql"; }
if [ $engine = postgresql ]; then
  printf 'source rows: '; a=$(read_all "$from" | digest); printf 'target rows: '; b=$(read_all "$to" | digest)
else
  printf 'source rows: '
  a=$({ echo "set time_zone = '+00:00';"; cat "$here/deploy/quickstart/read.mysql.sql"; } |
    "$mysql" client "$source_port" -Nr shop | digest)
  printf 'target rows: '; b=$(read_like_mysql "$to" | digest)
fi
echo "source $a"; echo "target $b"
[ "$a" = "$b" ] || { echo "THE SIDES DIFFER" >&2; exit 1; }
echo "equal"

step "drover status, stop, drop"
"$drover" status "$work/shop.yaml"
[ $bus = local ] || "$kafka" kafka-topics.sh --bootstrap-server "127.0.0.1:$kafka_port" --describe --topic drover.shop.changes
kill "$run"; wait "$run"; run=
"$drover" drop "$work/shop.yaml" --yes shop
