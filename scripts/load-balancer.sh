#!/usr/bin/env bash
# HAProxy, from Debian's own package: the load balancer of docs/SPREADING.md.
#
#   scripts/load-balancer.sh install   install the package (Debian or Ubuntu, as root)
#   scripts/load-balancer.sh works     whether it is there
set -euo pipefail

install() {
  if command -v haproxy >/dev/null; then return; fi
  command -v apt-get >/dev/null || { echo 'load-balancer.sh: needs a system with apt-get' >&2 && exit 1; }
  apt-get update
  DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends haproxy
}

case ${1:-} in
  install) install ;;
  works) command -v haproxy >/dev/null ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac
