#!/usr/bin/env bash
# A real S3 store to test against: Ceph's RADOS Gateway on 127.0.0.1, from Debian's own packages.
#
#   scripts/ceph-s3.sh install   install the packages (Debian or Ubuntu, as root)
#   scripts/ceph-s3.sh start     make a store if there is none, run it, return when it answers
#   scripts/ceph-s3.sh stop      end it in order
#   scripts/ceph-s3.sh restart   stop (also after kill9) and start; the data stays
#   scripts/ceph-s3.sh kill9     end it at once, as a power cut would
#   scripts/ceph-s3.sh wipe      end it and delete its data
#   scripts/ceph-s3.sh env       print the exports that S3 clients read: eval "$(scripts/ceph-s3.sh env)"
#
# One monitor, one storage daemon on a sparse file and one gateway, all in the foreground of their own sessions, with
# nothing outside the data directory. Environment: PORT (default 7480; PORT+1 is used as well) and CEPH_DATA (default
# ${TMPDIR:-/tmp}/millrace-ceph-$PORT; its path has to be short, since it holds Unix sockets).
set -euo pipefail

PORT=${PORT:-7480}
DATA=${CEPH_DATA:-${TMPDIR:-/tmp}/millrace-ceph-$PORT}
MONITOR_PORT=$((PORT + 1))
ACCESS_KEY=MILLRACETEST
SECRET_KEY=millrace-test-secret
CONF=$DATA/ceph.conf
LOG=$DATA/all.log
READY=$DATA/ready # exists once the store is complete: a start that was cut short begins anew

ANSWER_SECONDS_MAX=60   # from running the daemons to the gateway's first answer
MONITOR_SECONDS_MAX=30  # for the monitor's quorum of one
USER_SECONDS_MAX=60     # for making the test user, which makes the gateway's pools
STOP_SECONDS_MAX=10     # for each daemon to end in order, before it is killed
STORE_BYTES=10737418240 # size of the sparse file; what it takes on the disk is what is stored

die() {
  echo "ceph-s3.sh: $*" >&2
  exit 1
}

# Runs a command, its output in the log; shows the log's end when it fails.
logged() {
  "$@" >>"$LOG" 2>&1 || {
    tail -n 20 "$LOG" >&2
    die "failed: $*"
  }
}

# wait_for SECONDS WHAT COMMAND…: repeats a command until it succeeds.
wait_for() {
  local deadline=$((SECONDS + $1)) what=$2
  shift 2
  until "$@" >>"$LOG" 2>&1; do
    if [ "$SECONDS" -ge "$deadline" ]; then
      tail -n 20 "$LOG" >&2
      die "gave up waiting: $what"
    fi
    sleep 0.1
  done
}

# Whether the process in a pid file is still the daemon that was started: a pid may have gone to somebody else since.
# One that is ending has no command line any more, but may still hold its port and its files.
alive() {
  local pid command
  pid=$(cat "$DATA/$1.pid" 2>/dev/null) || return 1
  ! grep -qs '^State:[[:space:]]*[XZ]' "/proc/$pid/status" || return 1
  command=$(tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline") || return 1
  [ -z "$command" ] || [[ $command == *"$CONF"* ]]
}

# daemon NAME COMMAND…: runs a daemon that outlives this script.
daemon() {
  local name=$1
  shift
  setsid "$@" -c "$CONF" -f </dev/null >>"$LOG" 2>&1 &
  echo $! >"$DATA/$name.pid"
}

answers() {
  curl --silent --fail --output /dev/null --max-time 2 "http://127.0.0.1:$PORT/"
}

gone() {
  ! alive "$1"
}

# send SIGNAL NAME: to a daemon, if it runs.
send() {
  gone "$2" || kill -s "$1" "$(cat "$DATA/$2.pid")" || true
}

write_conf() {
  cat >"$CONF" <<CONF
[global]
fsid = $1
mon_initial_members = a
mon_host = [v2:127.0.0.1:$MONITOR_PORT]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
ms_bind_msgr1 = false
keyring = $DATA/keyring
admin_socket = $DATA/\$name.asok
run_dir = $DATA
log_file = $DATA/\$name.log
mon_data = $DATA/monitor
osd_data = $DATA/storage
rgw_data = $DATA/gateway
rgw_frontends = beast endpoint=127.0.0.1:$PORT tcp_nodelay=1

# One storage daemon, so one copy of everything, and no complaint about it.
osd_objectstore = bluestore
bluestore_block_create = true
bluestore_block_size = $STORE_BYTES
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
rgw_rados_pool_pg_num_min = 1
rgw_dynamic_resharding = false

# Little memory.
bluestore_cache_autotune = false
bluestore_cache_size = 67108864
rgw_thread_pool_size = 64

# Meant for clusters across machines, these waits cost one machine ten seconds at each start.
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_tick_interval = 1
osd_mon_report_interval = 1
ms_initial_backoff = 0.05
ms_max_backoff = 0.5
mon_client_hunt_interval = 0.5
mon_client_hunt_interval_max_multiple = 1
objecter_tick_interval = 0.5
objecter_timeout = 1
# A gateway that was killed still counts as listening for this long, and making a bucket waits for it.
osd_client_watch_timeout = 3
CONF
}

# A store from nothing: configuration, keys, monitor, storage, user. Leaves the monitor and the storage running.
make_store() {
  local fsid storage_id keyring=$DATA/keyring
  rm -rf "$DATA"
  mkdir -p "$DATA"/{monitor,storage,gateway}
  fsid=$(cat /proc/sys/kernel/random/uuid)
  storage_id=$(cat /proc/sys/kernel/random/uuid)
  write_conf "$fsid"

  logged ceph-authtool --create-keyring "$keyring" --gen-key -n mon. --cap mon 'allow *'
  logged ceph-authtool "$keyring" --gen-key -n client.admin --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *'
  logged ceph-authtool "$keyring" --gen-key -n osd.0 --cap mon 'allow profile osd' --cap osd 'allow *'
  logged monmaptool --create --fsid "$fsid" --addv a "[v2:127.0.0.1:$MONITOR_PORT]" "$DATA/monmap"
  logged ceph-mon -c "$CONF" -i a --mkfs --monmap "$DATA/monmap" --keyring "$keyring"

  daemon monitor ceph-mon -i a
  wait_for "$MONITOR_SECONDS_MAX" 'for the monitor' timeout 10 ceph -c "$CONF" osd new "$storage_id"
  logged ceph-osd -c "$CONF" -i 0 --mkfs --osd-uuid "$storage_id"
  daemon storage ceph-osd -i 0
  logged timeout "$USER_SECONDS_MAX" radosgw-admin -c "$CONF" user create --uid=millrace --display-name=millrace \
    --access-key="$ACCESS_KEY" --secret-key="$SECRET_KEY"
  touch "$READY"
}

start() {
  command -v radosgw ceph-mon ceph-osd curl >/dev/null || die "not installed: run '$0 install' as root"
  local name
  for name in monitor storage gateway; do gone "$name" || die "already running on port $PORT ($name)"; done
  ! answers || die "something else answers on port $PORT: choose another PORT"
  if [ -e "$READY" ]; then
    daemon monitor ceph-mon -i a
    daemon storage ceph-osd -i 0
  else
    make_store
  fi
  daemon gateway radosgw -n client.admin
  wait_for "$ANSWER_SECONDS_MAX" "for an answer on port $PORT" answers
}

# One after the other: each needs the next to write down what it still has to.
stop() {
  local name deadline
  for name in gateway storage monitor; do
    send TERM "$name"
    deadline=$((SECONDS + STOP_SECONDS_MAX))
    until gone "$name" || [ "$SECONDS" -ge "$deadline" ]; do sleep 0.1; done
  done
  kill9
}

kill9() {
  local name
  for name in gateway storage monitor; do send KILL "$name"; done
  for name in gateway storage monitor; do
    gone "$name" || wait_for "$STOP_SECONDS_MAX" "for the killed $name to be gone" gone "$name"
  done
}

install() {
  # One by one: of several names it is content with any.
  local tool missing=0
  for tool in radosgw ceph-mon ceph-osd ceph-authtool curl; do command -v "$tool" >/dev/null || missing=1; done
  if [ "$missing" = 0 ]; then return; fi
  command -v apt-get >/dev/null || die 'needs a system with apt-get'
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd curl
}

print_env() {
  printf 'export %s\n' "AWS_ENDPOINT_URL_S3=http://127.0.0.1:$PORT" "AWS_ACCESS_KEY_ID=$ACCESS_KEY" \
    "AWS_SECRET_ACCESS_KEY=$SECRET_KEY" AWS_REGION=us-east-1
}

case ${1:-} in
  install) install ;;
  start) start ;;
  stop) stop ;;
  restart) stop && start ;;
  kill9) kill9 ;;
  wipe) kill9 && rm -rf "$DATA" ;;
  env) print_env ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac
