#!/usr/bin/env bash
# Installs what only the tests need: MariaDB, as a MySQL database among the sources, and libfaketime, which shifts the clock.
# PostgreSQL comes with .venv. Quiet if both are installed. Never fails: a test that needs one of them does.
set -euo pipefail

PATH=$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/opt/mariadb/bin:/usr/local/opt/mariadb/bin
packages=()
if ! command -v mariadbd >/dev/null 2>&1 && ! command -v mysqld >/dev/null 2>&1; then
    packages+=(mariadb-server)
fi
if [ -z "$(ls /usr/lib/*/faketime/libfaketimeMT.so.1 /usr/lib/faketime/libfaketimeMT.so.1 2>/dev/null)" ]; then
    packages+=(faketime)
fi
[ ${#packages[@]} -gt 0 ] || exit 0

not_installed() {
    echo "warning: not installed for the tests: ${packages[*]} ($1)" >&2
    echo "= hint: apt-get install ${packages[*]}; on macOS: brew install mariadb" >&2
    exit 0
}
[ "$(id -u)" = 0 ] || not_installed "only root can install packages"
command -v apt-get >/dev/null 2>&1 || not_installed "there is no apt-get"
echo "installing ${packages[*]} (half a minute, once)" >&2
# The tests start separate servers; the system's server stays down.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
if ! { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"; } \
    >"$log" 2>&1; then
    not_installed "apt-get: $(tail -n 1 "$log")"
fi
rm -f "$log"
