#!/usr/bin/env bash
# Throw-away rsyslog that receives syslog over TLS with client certificates and writes each message as a line of JSON.
#   rsyslog.sh start DIR PORT CA CERT KEY   start it (PORT 0: any), print the port
#   rsyslog.sh hang DIR | kill DIR          stop it in its tracks | kill it
#   rsyslog.sh stop DIR
# Messages: DIR/messages.json
set -euo pipefail
cmd=${1:?start|hang|kill|stop}; mkdir -p "${2:?DIR}"; dir=$(cd "$2" && pwd)
gone() { for _ in {1..100}; do kill -0 "$1" 2>/dev/null || return 0; sleep 0.1; done; return 1; }
case $cmd in
  start)
    rm -f "$dir/port" "$dir/pid"
    cat >"$dir/conf" <<C
global(workDirectory="$dir" maxMessageSize="64k" defaultNetstreamDriver="ossl"
  defaultNetstreamDriverCAFile="$4" defaultNetstreamDriverCertFile="$5" defaultNetstreamDriverKeyFile="$6")
module(load="imtcp" streamDriver.name="ossl" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["client"])
template(name="fields" type="list" option.jsonf="on") {
  property(outname="pri" name="pri" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="process" name="procid" format="jsonf")
  property(outname="id" name="msgid" format="jsonf")
  property(outname="data" name="structured-data" format="jsonf")
  property(outname="text" name="msg" format="jsonf")
}
ruleset(name="received") { action(type="omfile" file="$dir/messages.json" template="fields") }
input(type="imtcp" port="$3" address="127.0.0.1" listenPortFileName="$dir/port" ruleset="received")
C
    /usr/sbin/rsyslogd -n -f "$dir/conf" -i "$dir/pid" >"$dir/out" 2>&1 &
    # It writes the file of the port only when it chose that itself; else a sender tries until it listens.
    ((!$3)) || echo "$3" >"$dir/port"
    for _ in {1..100}; do [[ -s $dir/port && -s $dir/pid ]] && break; sleep 0.1; done
    [[ -s $dir/port && -s $dir/pid ]] || { cat "$dir/out" >&2; exit 1; }
    cat "$dir/port"
    ;;
  hang) kill -STOP "$(cat "$dir/pid")" ;;
  kill) pid=$(cat "$dir/pid"); kill -KILL "$pid"; gone "$pid" ;;
  stop) pid=$(cat "$dir/pid"); kill -CONT "$pid" 2>/dev/null || exit 0; kill -TERM "$pid"; gone "$pid" ;;
  *) echo "start|hang|kill|stop" >&2; exit 64 ;;
esac
