#!/usr/bin/env bash
# Throw-away S3 server with Object Lock: a Ceph Object Gateway with one monitor and one OSD, on loopback.
#   ceph-rgw.sh start DIR   install Ceph if it is missing, start what is not running, wait until S3 answers, print the environment
#   ceph-rgw.sh env   DIR   print S3_ENDPOINT and the credentials as shell exports
#   ceph-rgw.sh stop  DIR   end the processes that DIR's pid files name
# Data, settings, logs and pid files are below DIR; delete it when done. Ports are chosen at the first start and kept in DIR/ceph.conf.
#   OSD_GB=10    size of the (sparse) disk file
#   LC_DEBUG=N   seconds that a day of a lifecycle rule lasts; unset: a day
#   ACCESS_KEY, SECRET_KEY   of the user that is made at the first start; unset: random
#   CLOCK=FILE   the gateway's clock is ahead by what FILE says, such as +86400 (seconds), read again whenever it looks at the clock; unset: it has the host's
set -euo pipefail
cmd=${1:?start|env|stop}; mkdir -p "${2:?DIR}"; dir=$(cd "$2" && pwd)
conf=$dir/ceph.conf
# All settings are in the file. Asking the monitor for more makes an OSD fail at start-up now and then ("wrong fsid").
export CEPH_ARGS=--no-mon-config

faketime=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketimeMT.so.1

die() { echo "${0##*/}: $*" >&2; exit 1; }

install() {
  local missing=() b
  for b in radosgw radosgw-admin; do command -v "$b" >/dev/null || missing+=(radosgw); done
  for b in ceph-mon monmaptool ceph; do command -v "$b" >/dev/null || missing+=(ceph-mon ceph-common); done
  command -v ceph-osd >/dev/null || missing+=(ceph-osd)
  command -v curl >/dev/null || missing+=(curl)
  [[ -z ${CLOCK:-} || -e $faketime ]] || missing+=(libfaketime)
  ((${#missing[@]})) || return 0
  command -v apt-get >/dev/null || die "needs ${missing[*]}, and there is no apt-get here to install them"
  local sudo=; ((EUID == 0)) || sudo=sudo
  {
    $sudo apt-get -o DPkg::Lock::Timeout=300 update -qq &&
      $sudo env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends "${missing[@]}"
  } >&2 || die "apt-get could not install ${missing[*]}"
}

alive() { # name: its pid file names a process that runs with our settings file
  local p
  p=$(cat "$dir/$1.pid" 2>/dev/null) && [[ $p =~ ^[0-9]+$ ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$p/cmdline" | grep -qxF -- "$conf"
}

spawn() { # name command…: in a session of its own, so that a signal to the tests does not reach it
  local name=$1; shift
  ! alive "$name" || return 0
  setsid "$@" </dev/null >>"$dir/$name.out" 2>&1 &
  echo $! >"$dir/$name.pid"
}

stop() {
  local name p i
  for name in rgw osd mon; do
    if alive "$name"; then
      p=$(cat "$dir/$name.pid")
      kill "$p" 2>/dev/null || true
      for ((i = 0; i < 100; i++)); do alive "$name" || break; sleep 0.1; done
      ! alive "$name" || kill -9 "$p" 2>/dev/null || true
    fi
    rm -f "$dir/$name.pid"
  done
}

free_port() { # somewhere below the ports that the system hands out by itself
  local p
  for _ in {1..100}; do
    p=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
  done
  die "no free port"
}

settings() {
  local osd_ports
  osd_ports=$((20000 + RANDOM % 11000))
  cat <<C
[global]
fsid = $1
mon host = v1:127.0.0.1:$2
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind msgr2 = false
ms bind port min = $osd_ports
ms bind port max = $((osd_ports + 999))
auth cluster required = none
auth service required = none
auth client required = none
keyring = $dir/keyring
run dir = $dir
admin socket = $dir/\$name.asok
crash dir = $dir/crash
log file = $dir/\$name.log
mon cluster log file = $dir/cluster.log
mon data = $dir/mon
osd data = $dir/osd
# one disk file, one copy, one placement group a pool: it is thrown away
osd objectstore = bluestore
bluestore block size = $((${OSD_GB:-10} << 30))
bluestore block create = true
bluestore fsck on mkfs = false
bluestore cache autotune = false
bluestore cache size = 67108864
osd memory target = 939524096
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd op num shards = 2
osd op num threads per shard = 1
osd max pg per osd hard ratio = 100
mon allow pool size one = true
mon warn on pool no redundancy = false
# a host's disk may well be nearly full
mon data avail warn = 1
mon data avail crit = 0
mon osd full ratio = 0.99
mon osd backfillfull ratio = 0.985
mon osd nearfull ratio = 0.98
# without these every step of the start waits seconds for a tick
paxos propose interval = 0.02
paxos min wait = 0.01
objecter tick interval = 0.2
bdev aio poll ms = 10
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:$3
rgw enable apis = s3, admin
rgw enable usage log = false
rgw thread pool size = 32
rgw rados pool pg num min = 1
rgw override bucket index max shards = 1
rgw dynamic resharding = false
C
  [[ -z ${LC_DEBUG:-} ]] || echo "rgw lc debug interval = $LC_DEBUG"
}

create() { # a cluster with one user; leaves monitor and OSD running
  local fsid osd_id mon_port port osd_mkfs access secret
  stop
  rm -rf "$dir"/{mon,osd,crash}; mkdir -p "$dir"/{mon,osd,crash}; : >"$dir/keyring"
  fsid=$(cat /proc/sys/kernel/random/uuid); osd_id=$(cat /proc/sys/kernel/random/uuid)
  mon_port=$(free_port); port=$(free_port)
  settings "$fsid" "$mon_port" "$port" >"$conf"
  monmaptool --create --clobber --addv a "[v1:127.0.0.1:$mon_port]" --fsid "$fsid" "$dir/monmap" >"$dir/create.out" 2>&1
  ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_id" --monmap "$dir/monmap" >"$dir/osd-create.out" 2>&1 & osd_mkfs=$!
  ceph-mon -c "$conf" -i a --mkfs --monmap "$dir/monmap" --keyring "$dir/keyring" >>"$dir/create.out" 2>&1 || die "see $dir/create.out"
  spawn mon ceph-mon -c "$conf" -i a -f
  # A monitor that has just begun refuses now and then; the same command again does no harm.
  local tries=0
  until ceph -c "$conf" --connect-timeout 60 osd new "$osd_id" 0 >/dev/null 2>>"$dir/create.out"; do
    ((++tries < 20)) && alive mon || die "the monitor does not answer: $dir/mon.out, $dir/create.out"
    sleep 1
  done
  wait "$osd_mkfs" || die "see $dir/osd-create.out"
  spawn osd ceph-osd -c "$conf" -i 0 -f
  access=${ACCESS_KEY:-$(od -An -tx1 -N10 /dev/urandom | tr -d ' \n')}; secret=${SECRET_KEY:-$(od -An -tx1 -N20 /dev/urandom | tr -d ' \n')}
  timeout 120 radosgw-admin -c "$conf" -n client.rgw user create --uid=test --display-name=test \
    --access-key="$access" --secret-key="$secret" >"$dir/user.out" 2>&1 || die "see $dir/user.out and $dir/osd.out"
  printf 'export S3_ENDPOINT=http://127.0.0.1:%s AWS_ACCESS_KEY_ID=%s AWS_SECRET_ACCESS_KEY=%s\n' "$port" "$access" "$secret" >"$dir/env"
}

start() {
  install
  # A start that failed leaves nothing running.
  trap 'rc=$?; ((rc == 0)) || stop; exit $rc' EXIT; trap 'exit 143' TERM INT
  [[ -f $dir/created ]] || create
  spawn mon ceph-mon -c "$conf" -i a -f
  spawn osd ceph-osd -c "$conf" -i 0 -f
  # Only wall time is moved: what it waits by stays as it is, and so does the clock of the store beneath.
  spawn rgw env ${CLOCK:+LD_PRELOAD="$faketime" FAKETIME_TIMESTAMP_FILE="$CLOCK" FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1} radosgw -c "$conf" -n client.rgw -f
  local name endpoint
  endpoint=$(sed -n 's/.*S3_ENDPOINT=\([^ ]*\).*/\1/p' "$dir/env")
  for _ in {1..600}; do
    for name in mon osd rgw; do kill -0 "$(cat "$dir/$name.pid")" 2>/dev/null || die "$name ended: see $dir/$name.out and $dir/*.log"; done
    if curl -fsS -m 5 -o /dev/null "$endpoint/" 2>/dev/null; then touch "$dir/created"; cat "$dir/env"; return; fi
    sleep 0.1
  done
  die "no answer from $endpoint after 60 s: see $dir/client.rgw.log"
}

case $cmd in
  start) start ;;
  env) [[ -s $dir/env ]] || die "not started"; cat "$dir/env" ;;
  stop) stop ;;
  *) die "start|env|stop" ;;
esac
