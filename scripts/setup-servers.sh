#!/usr/bin/env bash
# What only the tests need: MariaDB, as a MySQL database among the sources, and faketime, which shifts the clock.
# PostgreSQL is there with .venv. Quiet where all is; installs Debian's package where it may; otherwise says what is left out. It never fails.
set -euo pipefail

PATH=$PATH:/usr/sbin:/usr/local/sbin:/opt/homebrew/opt/mariadb/bin:/usr/local/opt/mariadb/bin
here() { command -v mariadbd >/dev/null 2>&1 || command -v mysqld >/dev/null 2>&1; }
left_out() {
    echo "no MySQL or MariaDB server: the tests that read such a database are left out ($1)" >&2
    echo "to run them too: apt-get install mariadb-server, or brew install mariadb" >&2
    exit 0
}

here && exit 0
[ "$(id -u)" = 0 ] || left_out "only root may install it"
command -v apt-get >/dev/null 2>&1 || left_out "there is no apt-get"
echo "installing mariadb-server (half a minute, once)" >&2
# The tests start servers of their own; the one of the system stays down.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
log=$(mktemp)
{ apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends mariadb-server; } \
    >"$log" 2>&1 || true
here || left_out "apt-get did not install it: $(tail -n 1 "$log")"
rm -f "$log"
