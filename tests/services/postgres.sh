#!/usr/bin/env bash
# Throw-away PostgreSQL 15 with pgaudit on a unix socket, logging in all three formats.
#   postgres.sh start DIR     make a cluster below DIR, start it, print the socket folder
#   postgres.sh sql DIR FILE  run statements as superuser
#   postgres.sh stop DIR
# Logs: DIR/data/log/postgresql.{log,csv,json}
set -euo pipefail
cmd=${1:?start|sql|stop}; mkdir -p "${2:?DIR}"; dir=$(cd "$2" && pwd)
bin=/usr/lib/postgresql/15/bin
# PostgreSQL refuses to run as root.
as() { if ((EUID == 0)); then runuser -u postgres -- "$@"; else "$@"; fi; }
case $cmd in
  start)
    ((EUID != 0)) || chown postgres "$dir"
    as "$bin/initdb" -D "$dir/data" -U postgres --auth=trust -E UTF8 --locale=C >"$dir/initdb.out"
    cat >>"$dir/data/postgresql.conf" <<C
listen_addresses = ''
unix_socket_directories = '$dir'
fsync = off
shared_preload_libraries = 'pgaudit'
pgaudit.log = 'all'
pgaudit.log_parameter = on
logging_collector = on
log_destination = 'stderr,csvlog,jsonlog'
log_directory = 'log'
log_filename = 'postgresql.log'
log_file_mode = 0644
log_connections = on
log_disconnections = on
log_line_prefix = '%m [%p] %q%u@%d '
log_timezone = 'UTC'
timezone = 'UTC'
C
    as "$bin/pg_ctl" -D "$dir/data" -w -t 60 -l "$dir/start.out" start >/dev/null
    chmod 755 "$dir" && chmod 755 "$dir/data" "$dir/data/log" 2>/dev/null || true
    echo "$dir"
    ;;
  sql) "$bin/psql" -h "$dir" -U postgres -d postgres -v ON_ERROR_STOP=0 -q -f "${3:?FILE}" ;;
  stop) as "$bin/pg_ctl" -D "$dir/data" -m fast -w stop >/dev/null ;;
  *) echo "start|sql|stop" >&2; exit 64 ;;
esac
