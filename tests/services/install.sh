#!/usr/bin/env bash
# Installs what the tests on real servers need, from Debian's packages: Ceph's S3 gateway, PostgreSQL with pgaudit, strace.
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
[[ -x /usr/lib/postgresql/15/bin/postgres ]] || missing+=(postgresql-15)
[[ -e /usr/lib/postgresql/15/lib/pgaudit.so ]] || missing+=(postgresql-15-pgaudit)
((${#missing[@]})) || exit 0

if ! command -v apt-get >/dev/null; then
  echo "error: the tests on real servers need ${missing[*]}, and there is no apt-get here to install them. Run ./test --fast, or install them by hand." >&2
  exit 69
fi
sudo=; ((EUID == 0)) || sudo=sudo
echo "installing ${missing[*]} …" >&2
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get -o DPkg::Lock::Timeout=300 update -qq >&2
# PostgreSQL's package would start a cluster of its own: the tests start theirs.
$sudo mkdir -p /etc/postgresql-common
grep -qs '^create_main_cluster' /etc/postgresql-common/createcluster.conf 2>/dev/null ||
  echo 'create_main_cluster = false' | $sudo tee -a /etc/postgresql-common/createcluster.conf >/dev/null
$sudo apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}" >&2
