#!/usr/bin/env bash
# A throwaway Apache Kafka node (KRaft, no ZooKeeper) with everything it writes in one folder. Maven fetches
# its jars by name (kafka/pom.xml) into build/kafka. Needs install-packages.sh kafka.
# usage: kafka.sh jars                            fetches the jars where they are missing
#        kafka.sh single FOLDER PORT OTHER_PORT   writes FOLDER/server.properties of a broker on 127.0.0.1:PORT
#                                                 that is its own controller on OTHER_PORT
#        kafka.sh run FOLDER [CLUSTER_ID]         runs the node of FOLDER/server.properties until SIGTERM
#        kafka.sh wait HOST:PORT [SECONDS]        until a broker answers there
#        kafka.sh kafka-topics.sh|kafka-configs.sh|kafka-acls.sh ARGUMENT...   Kafka's own programs
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
cache=$(cd "$here/../.." && pwd)/build/kafka

fetch_jars() { # complete once it holds the pom that it was made from
  mkdir -p "$cache"
  (
    flock 9
    cmp -s "$here/kafka/pom.xml" "$cache/jars/pom.xml" && exit
    rm -rf "$cache/jars"
    mvn -B -q -Dstyle.color=never -f "$here/kafka/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
      -DoutputDirectory="$cache/jars" >&2
    cp "$here/kafka/pom.xml" "$cache/jars/pom.xml"
  ) 9> "$cache/lock"
}

# Short-lived: the second compiler would cost more than it saves. DROVER_KAFKA_JVM: other options for the node.
jvm=(java -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-Dlog4j2.configurationFile=$here/kafka/log4j2.properties"
  -cp "$cache/jars/*")

single() { # FOLDER PORT CONTROLLER_PORT
  mkdir -p "$1"
  {
    cat "$here/kafka/node.properties"
    printf '%s\n' process.roles=broker,controller node.id=1 "log.dirs=$1/data" \
      "controller.quorum.voters=1@127.0.0.1:$3" controller.listener.names=CONTROLLER \
      "listeners=PLAINTEXT://127.0.0.1:$2,CONTROLLER://127.0.0.1:$3" \
      listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT \
      offsets.topic.replication.factor=1 transaction.state.log.replication.factor=1 \
      share.coordinator.state.topic.replication.factor=1
  } > "$1/server.properties"
}

run() { # FOLDER [CLUSTER_ID]
  fetch_jars
  if [ ! -f "$1/data/meta.properties" ]; then
    local id=${2:-$(head -c 16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)}
    "${jvm[@]}" kafka.tools.StorageTool format "--cluster-id=$id" -c "$1/server.properties"
  fi
  exec "${jvm[@]}" -Xmx400m ${DROVER_KAFKA_JVM:-} kafka.Kafka "$1/server.properties"
}

tool() { # NAME ARGUMENT...
  local -A classes=([kafka-topics.sh]=org.apache.kafka.tools.TopicCommand
    [kafka-configs.sh]=kafka.admin.ConfigCommand [kafka-acls.sh]=org.apache.kafka.tools.AclCommand)
  "${jvm[@]}" "${classes[$1]}" "${@:2}"
}

wait_for() { # HOST:PORT [SECONDS]
  local until=$((SECONDS + ${2:-60}))
  until (exec 3<> "/dev/tcp/${1%:*}/${1##*:}") 2> /dev/null && tool kafka-topics.sh --bootstrap-server "$1" --list > /dev/null 2>&1; do
    [ $SECONDS -lt $until ] || { echo "no Kafka broker answers on $1" >&2; exit 1; }
    read -rt 0.2 <> <(:) || true
  done
}

case ${1:-} in
jars) fetch_jars ;;
single) single "$2" "$3" "$4" ;;
run) run "${@:2}" ;;
wait) wait_for "${@:2}" ;;
kafka-topics.sh | kafka-configs.sh | kafka-acls.sh) tool "$@" ;;
*) sed -n '2,10s/^# //p' "$0"; exit 2 ;;
esac
