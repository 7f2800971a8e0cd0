#!/usr/bin/env bash
# Installs what the tests on real servers need, from Debian's packages: Ceph's S3 gateway, PostgreSQL with pgaudit, ClickHouse 18.16, rsyslog, strace, libfaketime; and today's ClickHouse engine from npm.
# Does nothing when all of it is there.
set -euo pipefail
missing=()
need() { command -v "$1" >/dev/null 2>&1 || missing+=("${@:2}"); }
need radosgw radosgw
need ceph-mon ceph-mon
need ceph-osd ceph-osd
need strace strace
need curl curl
need zstd zstd
[[ -e /usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1 ]] || missing+=(libfaketime)
[[ -x /usr/sbin/rsyslogd && -e /usr/lib/$(uname -m)-linux-gnu/rsyslog/lmnsd_ossl.so ]] || missing+=(rsyslog rsyslog-openssl)
[[ -x /usr/lib/postgresql/15/bin/postgres ]] || missing+=(postgresql-15)
[[ -e /usr/lib/postgresql/15/lib/pgaudit.so ]] || missing+=(postgresql-15-pgaudit)
# What is unpacked here and not installed.
lib=${LOGWARDEN_TEST_SERVICES:-/usr/local/lib/logwarden-tests}
chdb=3.4.0
old_server() { command -v clickhouse-server >/dev/null || [[ -x $lib/clickhouse/usr/sbin/clickhouse-server ]]; }
today_engine() { [[ $(cat "$lib/chdb/version" 2>/dev/null) == "$chdb" ]]; }
# All of the server but its small start program, and nothing that starts a service.
old_server || ls /usr/lib/*/libclickhouse.so.* >/dev/null 2>&1 || missing+=(clickhouse-common)
today_engine || { need node nodejs; need npm npm; }
if ((${#missing[@]} == 0)) && old_server && today_engine; then exit 0; fi

if ! command -v apt-get >/dev/null; then
  echo "error: the tests on real servers need ${missing[*]:-clickhouse-server}, and there is no apt-get here to install them. Run ./test --fast, or install them by hand." >&2
  exit 69
fi
sudo=; ((EUID == 0)) || sudo=sudo
echo "installing ${missing[*]:-ClickHouse} …" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -o DPkg::Lock::Timeout=300 update -qq >&2
# PostgreSQL's package would start a cluster of its own: the tests start theirs.
$sudo mkdir -p /etc/postgresql-common
grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf 2>/dev/null ||
  echo 'create_main_cluster = false' | $sudo tee -a /etc/postgresql-common/createcluster.conf >/dev/null
((${#missing[@]} == 0)) || $sudo apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >&2

scratch=$(mktemp -d); trap 'rm -rf "$scratch"' EXIT
if ! old_server; then
  # Unpacked: installing the package would start a server, and at every boot.
  (cd "$scratch" && apt-get download -qq clickhouse-server >&2)
  $sudo mkdir -p "$lib/clickhouse"
  $sudo dpkg -x "$scratch"/clickhouse-server_*.deb "$lib/clickhouse"
fi
if ! today_engine; then
  $sudo mkdir -p "$lib/chdb"
  # No script of a package is run.
  $sudo npm install --prefix "$lib/chdb" --no-audit --no-fund --ignore-scripts --loglevel error "chdb@$chdb" >&2
  echo "$chdb" | $sudo tee "$lib/chdb/version" >/dev/null
fi
