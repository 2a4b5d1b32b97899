#!/usr/bin/env bash
# Lets Maven fetch Kafka Connect and Debezium's connectors by name. usage: jars.sh FOLDER NAME...
#   NAME: connect, source-mysql, source-mariadb or sink; its jars go to FOLDER/NAME
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
folder=$(cd "$1" && pwd); shift
for name in "$@"; do
  cmp -s "$here/$name/pom.xml" "$folder/$name/pom.xml" && continue
  # Connect has its own of these; a second copy in a plugin's folder breaks the sink.
  leave_out=()
  [ "$name" = connect ] || leave_out=(-DexcludeGroupIds=org.apache.kafka,org.slf4j
    -DexcludeArtifactIds=jackson-core,jackson-databind,jackson-annotations)
  rm -rf "${folder:?}/$name"
  mvn -B -q -Dstyle.color=never -f "$here/$name/pom.xml" dependency:copy-dependencies -DincludeScope=runtime \
    "-DoutputDirectory=$folder/$name" "${leave_out[@]}"
  cp "$here/$name/pom.xml" "$folder/$name/pom.xml"
done
