#!/bin/sh
# Installs the Debian packages that tests/system.rs runs, where this is root and apt-get is there. Their
# services are not started: the tests run the programs themselves, in folders of their own. What is still
# missing then, the tests say.
set -eu
for package in "$@"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q ' installed$' || missing="${missing:-} $package"
done
[ -n "${missing:-}" ] || exit 0
if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
  echo "not installed, for want of root or apt-get:$missing" >&2
  exit 0
fi
# invoke-rc.d(8): 101 forbids to start anything.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
  trap 'rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod +x "$policy"
fi
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # they are several
apt-get install -y --no-install-recommends $missing >/dev/null ||
  { apt-get update >/dev/null && apt-get install -y --no-install-recommends $missing >/dev/null; } ||
  echo "apt-get did not install:$missing" >&2
