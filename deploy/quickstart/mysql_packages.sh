#!/usr/bin/env bash
# Unpacks packages of another Debian suite and their libraries into a folder: nothing is installed, no script of
# a package runs, the host's apt knows nothing of it. What is unpacked already stays as it is.
# usage: mysql_packages.sh SUITE FOLDER PACKAGE...     for example: mysql_packages.sh sid FOLDER mysql-server-core
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,4s/^# //p' "$0" >&2; exit 2; }
suite=$1 folder=$2; shift 2
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
# Programs that the unpacked server never calls, and what only maintainer scripts need.
skip='^(perl|perl-base|perl-modules.*|libperl.*|libgdbm.*|debconf|dpkg|tar|libc-gconv-modules-extra|libpam.*-bin)$'
skip="$skip|"'^(libpam-runtime|init-system-helpers|systemd.*|adduser|passwd|ssl-cert|locales|locales-all)$'
skip="$skip|"'^(sensible-utils|ucf|libdb5.*|base-files|mysql-common|openssl|netbase|gcc-.*-base|libtirpc-common)$'

mkdir -p "$(dirname "$folder")"
exec 9>"$folder.lock"
flock 9
for package in "$@"; do [ -e "$folder/.unpacked/$package" ] || { missing=1; break; }; done
[ -n "${missing:-}" ] || exit 0

# An apt of our own: its own lists, no package installed, and only the archive's key is trusted.
apt=$(mktemp -d); trap 'rm -rf "$apt"' EXIT
mkdir -p "$apt"/{lists/partial,cache/archives/partial,downloads} "$folder.new"
: >"$apt/status"
sources=/etc/apt/sources.list.d/debian.sources
if [ -e $sources ]; then uri=$(awk '/^URIs:/{print $2; exit}' $sources); else
  uri=$(awk '$1=="deb"{for (i=2; i<=NF; i++) if ($i ~ /^[a-z+]+:\//) {print $i; exit}}' /etc/apt/sources.list); fi
[ -n "$uri" ] || { echo "mysql_packages.sh: no Debian archive is configured in /etc/apt" >&2; exit 1; }
echo "deb [signed-by=$keyring] $uri $suite main" >"$apt/sources.list"
cat >"$apt/apt.conf" <<CONF
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::Cache "$apt/cache";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
APT::Update::Post-Invoke "";
CONF
export APT_CONFIG=$apt/apt.conf
apt-get -qq update
# --simulate resolves the closure; in the middle of a transition of the suite it has no answer.
plan=$(apt-get --simulate --no-install-recommends install "$@") ||
  { echo "mysql_packages.sh: Debian $suite cannot install $* at the moment (a transition); try again later" >&2; exit 1; }
list=$(awk '/^Inst/{print $2}' <<<"$plan" | grep -vE "$skip")
cd "$apt/downloads"
apt-get -qq download $list
for archive in *.deb; do
  dpkg-deb --fsys-tarfile "$archive" | tar -x -C "$folder.new" --keep-directory-symlink \
    --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/lintian --exclude=./usr/share/locale
done
cd /
for link in bin sbin lib lib64; do
  [ -e "$folder.new/$link" ] || [ ! -d "$folder.new/usr/$link" ] || ln -s "usr/$link" "$folder.new/$link"
done
mkdir -p "$folder.new/.unpacked"
for package in "$@"; do : >"$folder.new/.unpacked/$package"; done
rm -rf "$folder"
mv "$folder.new" "$folder"
