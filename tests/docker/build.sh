#!/usr/bin/env bash
# Build the image and use it, with a builder from Debian's packages: buildah, podman, debootstrap.
#
#   tests/docker/build.sh          build, check, remove what was run (the images stay)
#   tests/docker/build.sh --base   only make the stand-in for the base image again
#
# Needs root and Debian's and Python's package registries; about two minutes the first time, one
# later. Not part of tests/run. PYTHON is the base image, if the real one can be had; RUNTIME what
# runs containers (crun refuses machines with both versions of cgroups).
set -eu -o pipefail
cd "$(dirname "$0")/../.."

stand_in=localhost/python:3.11-slim-bookworm
base=${PYTHON:-$stand_in}
image=localhost/smbd
runtime=${RUNTIME:-runc}
# No more than this machine's own: else only who may raise limits can start a container.
limits=(--ulimit "nofile=$(ulimit -Hn):$(ulimit -Hn)" --ulimit nproc=4096:4096)
name=smbd-check-$$
port=${PORT:-14450}
work=$(mktemp -d)
password=correct-horse-$$

say() { printf '== %s\n' "$*"; }
fail() {
    printf 'FAILED: %s\n' "$*" >&2
    podman logs "$name" >&2 || true
    exit 1
}
clean() {
    podman rm --force --volumes "$name" >/dev/null 2>&1 || true
    podman volume rm --force "$name" >/dev/null 2>&1 || true
    podman secret rm "$name" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap clean EXIT

for tool in buildah podman "$runtime" debootstrap smbclient; do
    command -v "$tool" >/dev/null || {
        echo "missing: apt-get install buildah podman runc debootstrap smbclient" >&2
        exit 1
    }
done

# A minimal Debian with Python in place of Docker Hub's image, which is one too.
make_base() {
    say "the stand-in $stand_in"
    local container folder=$work/debian
    debootstrap --variant=minbase --include=ca-certificates,python3,python3-venv \
        bookworm "$folder" http://deb.debian.org/debian >"$work/debootstrap.log" 2>&1 ||
        { tail "$work/debootstrap.log" >&2 && return 1; }
    # The registry may only be reached through a gateway whose certificate this machine trusts.
    cp /etc/ssl/certs/ca-certificates.crt "$folder/etc/ssl/certs/"
    printf '[global]\ncert = /etc/ssl/certs/ca-certificates.crt\n' >"$folder/etc/pip.conf"
    rm -rf "$folder"/var/cache/apt "$folder"/var/lib/apt/lists
    container=$(buildah from scratch)
    tar --create --directory "$folder" . >"$folder.tar"
    buildah add --quiet "$container" "$folder.tar" / >/dev/null
    buildah commit --quiet --rm "$container" "$stand_in" >/dev/null
}
if [ "${1-}" = --base ] || { [ "$base" = "$stand_in" ] && ! podman image exists "$base"; }; then
    make_base
    [ "${1-}" != --base ] || exit 0
fi

say "build"
# The format of Docker: OCI's has no HEALTHCHECK.
buildah build --quiet --format docker --runtime "$runtime" "${limits[@]}" --network host \
    --build-arg PYTHON="$base" --tag "$image" . >/dev/null
podman image inspect "$image" --format \
    'user {{.Config.User}}, volumes {{.Config.Volumes}}, ports {{.Config.ExposedPorts}}, stop by {{.Config.StopSignal}}'
podman image inspect "$image" --format '{{.Size}}' | awk '{printf "size %.0f MB\n", $1 / 1e6}'

say "without a password it does not start, and says why"
if podman --runtime "$runtime" run --rm "${limits[@]}" "$image" 2>"$work/refused"; then fail "it started"; fi
grep -q "environment: PASSWORD: must be set, or PASSWORD_FILE" "$work/refused" ||
    fail "$(cat "$work/refused")"

say "run: no root, no capability, a secret, a volume"
printf '%s\n' "$password" | podman secret create "$name" - >/dev/null
run() {
    podman --runtime "$runtime" run --detach --name "$name" "${limits[@]}" \
        --publish "127.0.0.1:$port:4450" --cap-drop all --security-opt no-new-privileges \
        --secret "$name,target=smbd_password,uid=1000,mode=0400" --volume "$name:/share" \
        "$image" >/dev/null
}
run
for _ in $(seq 50); do
    podman logs "$name" 2>&1 | grep -q "tsmbd serves on" && break
    sleep 0.1
done
[ "$(podman exec "$name" id -u)" = 1000 ] || fail "it runs as $(podman exec "$name" id -u)"

client() { smbclient "//127.0.0.1/share" -p "$port" -U "smbd%$password" -m SMB3 -c "$1"; }

say "its health is that of a login"
podman exec "$name" smbd health || fail "not healthy"
podman healthcheck run "$name" || fail "HEALTHCHECK"
if podman exec "$name" smbd health --address 127.0.0.1:1; then fail "healthy, but nobody is there"; fi

say "a real client writes and reads"
head -c 10000000 /dev/urandom >"$work/data"
client "put $work/data data; get data $work/back; mkdir folder; ls" || fail "smbclient"
cmp "$work/data" "$work/back" || fail "the data differ"
if smbclient //127.0.0.1/share -p "$port" -U smbd%wrong -c ls; then fail "a wrong password"; fi

say "what the kernel and the seccomp profile allow"
podman exec "$name" smbd check
podman exec "$name" smbd status
podman exec "$name" sh -c 'grep -i "^\(seccomp\|capeff\|nonewprivs\)" /proc/1/status'
podman exec "$name" sh -c 'cd /tmp && mkdir mine && echo x >mine/x && printf "%s\n" \
    "[shares.mine]" "path = \"/tmp/mine\"" "guest = true" \
    "[shares.roots]" "path = \"/opt/smbd\"" "guest = true" "read_only = true" >own-layer.toml &&
    smbd check --config own-layer.toml | sed -n "/^mine/,/writes/p;/^roots/,/writes/p"'

say "SIGHUP"
podman kill --signal HUP "$name" >/dev/null
client ls >/dev/null || fail "after SIGHUP"
podman logs "$name" 2>&1 | grep "read again" || fail "SIGHUP was not heard"

say "stop: in order, and in time, with a client on"
(sleep 5; echo quit) | client "" >/dev/null 2>&1 || true &
began=$(date +%s%N)
podman stop --time 10 "$name" >/dev/null
echo "stopped in $((($(date +%s%N) - began) / 1000000)) ms"
[ "$(podman inspect "$name" --format '{{.State.ExitCode}}')" = 0 ] || fail "exit status"
podman logs "$name" 2>&1 | grep -q "SIGTERM: ending" || fail "no orderly end"

say "the volume keeps what was written"
podman rm "$name" >/dev/null
run
for _ in $(seq 50); do client "get data $work/again" >/dev/null 2>&1 && break; sleep 0.1; done
cmp "$work/data" "$work/again" || fail "the volume"
grep -q "$password" <(podman logs "$name" 2>&1) && fail "the password is in the log"

say "a quick start by environment: user, password and share"
podman rm --force "$name" >/dev/null
podman --runtime "$runtime" run --detach --name "$name" "${limits[@]}" \
    --publish "127.0.0.1:$port:4450" --env USER=ann --env PASSWORD="$password" --env SHARE=docs \
    --volume "$name:/share" "$image" >/dev/null
for _ in $(seq 50); do podman exec "$name" smbd health 2>/dev/null && break; sleep 0.1; done
smbclient //127.0.0.1/docs -p "$port" -U "ann%$password" -c "get data $work/docs" || fail "docs"
cmp "$work/data" "$work/docs" || fail "the data of docs"

say "another shares.toml, another user, and a read-only root file system"
podman rm --force "$name" >/dev/null
mkdir "$work/music"
echo song >"$work/music/song"
printf '%s\n' '[server]' 'listen = ["0.0.0.0:4450"]' '[users.ann]' "password = '$password'" \
    '[shares.music]' 'path = "/music"' 'read_only = true' >"$work/shares.toml"
chown 1234:1234 "$work/shares.toml"
chmod 600 "$work/shares.toml"
podman --runtime "$runtime" run --detach --name "$name" "${limits[@]}" --user 1234:1234 \
    --publish "127.0.0.1:$port:4450" --read-only --tmpfs /tmp \
    --volume "$work/shares.toml:/etc/smbd/shares.toml:ro" --volume "$work/music:/music:ro" \
    "$image" >/dev/null
for _ in $(seq 50); do podman exec "$name" smbd health 2>/dev/null && break; sleep 0.1; done
smbclient //127.0.0.1/music -p "$port" -U "ann%$password" -c "get song $work/song" || fail "music"
cmp "$work/music/song" "$work/song" || fail "the song"
say "all of it works"
