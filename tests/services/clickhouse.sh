#!/usr/bin/env bash
# Throw-away ClickHouse on loopback: Debian's 18.16, or the engine of today behind HTTP (clickhouse-today.js).
#   clickhouse.sh start DIR [old|today]  start it, wait until it answers, print the environment
#   clickhouse.sh stop  DIR              end the process that DIR's pid file names
# Data, settings and logs are below DIR; delete it when done. Ports are chosen at the first start and kept: a server that was stopped and started again
# answers where it did. User and password are in DIR/env; a user named "reader" (same password) may only read.
#   PARTS_DELAY=N  seconds that data of dropped parts stay on disk (old only)
set -euo pipefail
cmd=${1:?start|stop}; mkdir -p "${2:?DIR}"; dir=$(cd "$2" && pwd); kind=${3:-old}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Unpacked by install.sh, not installed: the server's package would start a service.
lib=${LOGWARDEN_TEST_SERVICES:-/usr/local/lib/logwarden-tests}

die() { echo "${0##*/}: $*" >&2; exit 1; }

alive() { # the pid file names a process that was started for this folder
  local p
  p=$(cat "$dir/pid" 2>/dev/null) && [[ $p =~ ^[0-9]+$ ]] || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$p/cmdline" | grep -qF -- "$dir/"
}

stop() {
  local p i
  if alive; then
    p=$(cat "$dir/pid")
    kill "$p" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do alive || break; sleep 0.1; done
    ! alive || kill -9 "$p" 2>/dev/null || true
  fi
  rm -f "$dir/pid"
}

free_port() { # somewhere below the ports that the system hands out by itself
  local p
  for _ in {1..100}; do
    p=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$p") 2>/dev/null || { echo "$p"; return; }
  done
  die "no free port"
}

settings() { # http-port tcp-port interserver-port password
  mkdir -p "$dir"/data "$dir"/tmp
  cat >"$dir/config.xml" <<C
<?xml version="1.0"?>
<yandex>
  <logger><level>information</level><log>$dir/server.log</log><errorlog>$dir/server.err.log</errorlog><size>100M</size><count>1</count></logger>
  <listen_host>127.0.0.1</listen_host>
  <http_port>$1</http_port><tcp_port>$2</tcp_port><interserver_http_port>$3</interserver_http_port>
  <path>$dir/data/</path><tmp_path>$dir/tmp/</tmp_path><user_files_path>$dir/tmp/</user_files_path>
  <users_config>$dir/users.xml</users_config>
  <default_profile>default</default_profile><default_database>default</default_database>
  <!-- not UTC, so that nothing depends on the server's zone -->
  <timezone>America/New_York</timezone>
  <mark_cache_size>67108864</mark_cache_size><max_connections>256</max_connections><keep_alive_timeout>3</keep_alive_timeout>
</yandex>
C
  cat >"$dir/users.xml" <<C
<?xml version="1.0"?>
<yandex>
  <profiles><default><max_memory_usage>2000000000</max_memory_usage><max_threads>2</max_threads></default><readonly><readonly>1</readonly></readonly></profiles>
  <users>
    <logwarden><password>$4</password><networks><ip>127.0.0.1</ip></networks><profile>default</profile><quota>default</quota></logwarden>
    <reader><password>$4</password><networks><ip>127.0.0.1</ip></networks><profile>readonly</profile><quota>default</quota></reader>
  </users>
  <quotas><default></default></quotas>
</yandex>
C
  chmod 600 "$dir/users.xml"
}

create() {
  local port password
  port=$(free_port); password=$(od -An -tx1 -N12 /dev/urandom | tr -d ' \n')
  settings "$port" "$(free_port)" "$(free_port)" "$password"
  printf 'CLICKHOUSE_ENDPOINT=http://127.0.0.1:%s\nCLICKHOUSE_USER=logwarden\nCLICKHOUSE_PASSWORD=%s\n' "$port" "$password" >"$dir/env"
  echo "$kind" >"$dir/kind"
}

start() {
  # A start that failed leaves nothing running.
  trap 'rc=$?; ((rc == 0)) || stop; exit $rc' EXIT; trap 'exit 143' TERM INT
  [[ -s $dir/env ]] || create
  kind=$(cat "$dir/kind")
  local endpoint
  endpoint=$(sed -n 's/^CLICKHOUSE_ENDPOINT=//p' "$dir/env")
  if ! alive; then
    if [[ $kind == old ]]; then
      local server
      server=$(command -v clickhouse-server || echo "$lib/clickhouse/usr/sbin/clickhouse-server")
      [[ -x $server ]] || die "no clickhouse-server here: run tests/services/install.sh"
      setsid "$server" --config-file="$dir/config.xml" </dev/null >>"$dir/server.out" 2>&1 &
    else
      [[ -d $lib/chdb/node_modules/chdb ]] || die "no chdb here: run tests/services/install.sh"
      NODE_PATH=$lib/chdb/node_modules setsid node "$here/clickhouse-today.js" "$dir/" </dev/null >>"$dir/server.out" 2>&1 &
    fi
    echo $! >"$dir/pid"
  fi
  for _ in {1..600}; do
    kill -0 "$(cat "$dir/pid")" 2>/dev/null || die "it ended: see $dir/server.out and $dir/server.err.log"
    if curl -fsS -m 5 -o /dev/null "$endpoint/ping" 2>/dev/null; then cat "$dir/env"; return; fi
    sleep 0.1
  done
  die "no answer from $endpoint after 60 s: see $dir/server.log"
}

case $cmd in
  start) start ;;
  stop) stop ;;
  *) die "start|stop" ;;
esac
