#!/usr/bin/env bash
# strace(1), from Debian's own package: it makes system calls of the program under test fail.
#
#   scripts/fault-tracer.sh works   whether it is there and may trace here; many containers don't allow it
set -euo pipefail

works() {
  strace -D -f -o /dev/null -e inject=fdatasync:error=EIO:when=1 true 2>/dev/null
}

case ${1:-} in
  works) works ;;
  *) sed -n '2,/^set /{/^#/s/^# \{0,1\}//p}' "$0" >&2 && exit 2 ;;
esac
