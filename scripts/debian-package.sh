#!/usr/bin/env bash
# Installs a package of Debian's whose command has its name, where that isn't there (Debian or Ubuntu, as root).
#
#   scripts/debian-package.sh strace
set -euo pipefail

[ $# = 1 ] || { sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2; }
if command -v "$1" >/dev/null; then exit; fi
command -v apt-get >/dev/null || { echo 'debian-package.sh: needs a system with apt-get' >&2 && exit 1; }
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$1"
