#!/bin/sh
# A backup script is tested against a share of its own: no root, no Docker, any free port.
set -eu
work=$(mktemp -d)
cd "$work"
mkdir share
mkfifo ready
trap 'kill "$server" 2>/dev/null; rm -rf "$work"' EXIT

tsmbd serve share --port 0 --ready-file ready --die-with-parent >log 2>&1 &
server=$!
cat ready >ready.json # waits until clients can connect
value() { sed -n "s/^  \"$1\": \"\{0,1\}\([^\",]*\)\"\{0,1\},\{0,1\}$/\1/p" ready.json | head -n 1; }
share="//$(value host)/$(value share)" port=$(value port) login="$(value user)%$(value password)"

# What is tested: it puts a file there, under today's date.
backup() { smbclient "$share" -p "$port" -U "$login" -c "put $1 $2" >/dev/null; }

echo "all of it" >data
backup data "$(date +%F).bak"
cmp data "share/$(date +%F).bak"
echo "1 passed"
