#!/bin/bash
# Tries the compose stack for real: starts it, edits its file, kills, pauses and
# cuts off each container and brings it back, scales, takes a key away, stops it
# all, and looks at the board each time. It prints what it saw, with seconds, and
# fails at the first thing that is not as it should be.
#
# Where an official image is neither here nor to be had, a stand-in is made of
# what this machine has: Debian by debootstrap (as root), the local Go
# toolchain, and the NATS server of go.mod. It has the official name during
# the try alone. The images are kept, for the next try.
#
# BOARD says where the board is published: 127.0.0.1:8811 if nothing is said.
# PATIENCE is by how much all may take longer, on a slow machine: 1.
set -euo pipefail
cd "$(dirname "$0")"

export LC_ALL=C # seconds with a point
project=pharos-try
export PHAROS_BOARD=${BOARD:-127.0.0.1:8811}
if docker compose version >/dev/null 2>&1; then
    compose=(docker compose)
else
    compose=(docker-compose)
fi
work=$(mktemp -d)
# The first generation does not know the stack's name.
sed '/^name:/d' docker-compose.yml >"$work/stack.yml"
compose+=(-p "$project" --project-directory . -f "$work/stack.yml" -f "$work/compose.yml")
alone=$project-allinone # the container of the all-in-one
official=() # names that stand-ins have

# The stack reads a copy of the file, which can be edited.
cp -r config "$work/config"
file=$work/config/pharos.yaml
for service in prober-north prober-south dashboard; do
    printf '  %s: {volumes: ["%s:/etc/pharos:ro"]}\n' "$service" "$work/config"
done | cat <(echo services:) - >"$work/compose.yml"

say() { printf '%s\n' "$*"; }
die() {
    say "NOT AS IT SHOULD BE: $*"
    exit 1
}

# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    local code=$?
    trap - EXIT
    if ((code != 0)) && [[ -e $work/board ]]; then # the stack was up
        jq -c 'del(.sets)' "$work/board" || true
        "${compose[@]}" logs --tail=20 || true
    fi
    docker rm -f "$alone" >/dev/null 2>&1 || true
    "${compose[@]}" down -v >"$work/down" 2>&1 || { cat "$work/down" && code=1; }
    for image in "${official[@]}"; do
        docker rmi "$image" >/dev/null || code=1
    done
    rm -rf --one-file-system "$work"
    ((code == 0)) && say "all as it should be"
    exit "$code"
}
trap cleanup EXIT
trap 'exit 1' INT TERM

## What is needed.

for tool in docker curl jq "${compose[0]}"; do
    command -v "$tool" >/dev/null || die "no $tool on this machine"
done
if curl -s -o "$work/taken" "http://$PHAROS_BOARD/"; then
    die "something answers at $PHAROS_BOARD already; choose another place: BOARD=127.0.0.1:8899 $0"
fi

## The base images.

id() { docker image inspect -f '{{.Id}}' "$1" 2>/dev/null; }

# standin NAME BUILD: makes sure that the image NAME is there; if need be, one
# that BUILD has made under a name of ours.
standin() {
    local ours=$project-standin/$1
    # The same number: a try that was cut off has left the name behind.
    id "$1" >/dev/null && [[ $(id "$1") != "$(id "$ours")" ]] && return
    timeout 300 docker pull -q "$1" >/dev/null 2>&1 && return
    if ! id "$ours" >/dev/null; then
        say "$1 is not to be had: making a stand-in"
        "$2" "$ours" >"$work/standin" 2>&1 || { tail -n 20 "$work/standin" && die "no stand-in for $1"; }
    fi
    docker tag "$ours" "$1"
    official+=("$1")
}

make_debian() {
    command -v debootstrap >/dev/null || die "no debootstrap on this machine"
    timeout 600 debootstrap --variant=minbase bookworm "$work/debian"
    tar -C "$work/debian" -c . | docker import - "$1"
}

# make_golang takes this machine's certificates too, for a module proxy that is
# only trusted here.
make_golang() {
    cat >"$work/Dockerfile" <<END
FROM debian:bookworm-slim
COPY go /usr/local/go
COPY ca-certificates.crt /etc/ssl/certs/
ENV GOPATH=/go GOTOOLCHAIN=local GOPROXY=$(go env GOPROXY) PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
END
    tar -c -C "$work" Dockerfile -C /etc/ssl/certs ca-certificates.crt -C "$(go env GOROOT)" --transform='s,^\.,go,' . |
        timeout 300 docker build -t "$1" -
}

make_nats() {
    CGO_ENABLED=0 timeout 600 go build -trimpath -o "$work/nats-server" github.com/nats-io/nats-server/v2
    cat >"$work/Dockerfile" <<'END'
FROM debian:bookworm-slim
RUN apt-get update && apt-get install -y --no-install-recommends busybox && ln -s /bin/busybox /usr/bin/wget
COPY nats-server /usr/local/bin/
END
    tar -c -C "$work" Dockerfile nats-server | timeout 300 docker build -t "$1" -
}

standin debian:bookworm-slim make_debian
standin golang:1.26 make_golang
standin nats:2.15-alpine make_nats

## What is seen.

board() { curl -fsS --max-time 1 "http://$PHAROS_BOARD/api/v1/board" 2>"$work/curl"; }

# saw WHAT: prints it with the seconds since $began.
saw() { printf '%8.2f s  %s\n' "$(jq -n "$EPOCHREALTIME - $began")" "$1"; }
late() { jq -en "$EPOCHREALTIME - $began > $1 * ${PATIENCE:-1}" >/dev/null; }

# await SECONDS WHAT TEST: waits until the board passes TEST, a jq expression.
# The seconds count from $began.
await() {
    until board >"$work/board" && jq -e "$defs $3" "$work/board" >/dev/null; do
        late "$1" && die "not within $1 s: $2"
        sleep 0.05
    done
    saw "$2"
}

# show FORMAT: prints something of the board that await saw last.
show() { jq -r "$defs \"            \" + ($1)" "$work/board"; }

# shellcheck disable=SC2016 # jq's variables
defs='
def tiles: [.sets[].watchers[]];
def of($site): [tiles[] | select(.site == $site)];
def every($status): length == 6 and all(.[]; .status == $status);
def prober($site): .probers[] | select(.site == $site);
def up: [.probers[] | select(.up)] | length;
def well($count): .ok and .nats.up and .nats.store and .nats.error == "" and up == 2 and (tiles | length == $count);
def well: well(12);
def said: "\(.site)/\(.name) is \(if .up then "up" else "silent for \(.silent * 10 | round / 10) s" end)";'

container() { "${compose[@]}" ps -q "$1"; }
await_healthy() {
    until [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; do
        late 40 && die "not healthy within 40 s: $2"
        sleep 0.2
    done
    saw "$2 is healthy"
}
quietly() { "$@" >"$work/quiet" 2>&1 || { cat "$work/quiet" && die "$*"; }; }

say "the images"
began=$EPOCHREALTIME
quietly timeout 1200 "${compose[@]}" build
saw "are built"

say "the stack starts"
began=$EPOCHREALTIME
quietly timeout 120 "${compose[@]}" up -d
await 60 "all 12 watchers of 2 probers are ok" 'well'
north=$(container prober-north) south=$(container prober-south) dashboard=$(container dashboard) nats=$(container nats)
await_healthy "$dashboard" "the dashboard"
await_healthy "$nats" NATS
await_healthy "$south" "prober-south"

# Each has its own key and no other, and the CA's nobody.
holds() { docker run --rm --volumes-from "$1" --entrypoint sh pharos-prober -c "ls /keys" | tr '\n' ' '; }
[[ $(holds "$north") == "prober.key " ]] || die "prober-north holds $(holds "$north")"
[[ $(holds "$dashboard") == "dashboard.key " ]] || die "the dashboard holds $(holds "$dashboard")"
[[ $(holds "$nats") == "auth.conf ca.pem server.key server.pem " ]] || die "NATS holds $(holds "$nats")"
say "            each holds its own key alone"
published=$(docker ps -q --filter "label=com.docker.compose.project=$project" | xargs -n1 docker port | grep -c . || true)
[[ $published -le 2 && -z $(docker port "$nats") && -n $(docker port "$dashboard") ]] || die "more than the board is published"

# reaches NETWORK: whether a container of that network alone reaches NATS.
address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$nats")
reaches() { docker run --rm --network "$1" --entrypoint nc pharos-prober -z -w 3 "$address" 4222 2>"$work/reach"; }
reaches "${project}_nats" || die "NATS is not reached from its own network: $(<"$work/reach")"
for network in bridge "${project}_default"; do
    reaches "$network" && die "NATS is reached from network $network"
done
say "            NATS is reached from its own network alone"
# A stranger there has no key: it is told so, or hears nothing.
answer=$(docker run --rm --network "${project}_nats" --entrypoint sh pharos-prober -c "printf 'CONNECT {\"verbose\":true}\\r\\nPUB pharos.forget 0\\r\\n\\r\\nPING\\r\\n' | nc -w 2 $address 4222" || true)
[[ $answer == *'"tls_required":true'* && $answer != *PONG* ]] || die "NATS says to a stranger: $answer"
say "            NATS talks to nobody without TLS"

# save: takes a new content of the file as editors save: a new file in the old
# one's place.
save() { cat >"$work/config/new" && mv "$work/config/new" "$file"; }

say "the file gets one more watcher"
began=$EPOCHREALTIME
sed 's/^ *- {name: "Is True?".*/&\n      - {name: "Is it still?", command: "true"}/' config/pharos.yaml | save
await 15 "all 14 watchers are ok" 'well(14)'

say "the file gets a mistake"
began=$EPOCHREALTIME
sed 's/^defaults:/default:/' config/pharos.yaml | save
await 15 "all three say so, all 14 watchers are ok" 'well(14) and (.notices | length == 3)'
show '.notices[1]'

say "the file is what it was"
began=$EPOCHREALTIME
save <config/pharos.yaml
await 15 "all is well" 'well and (.notices | length == 0)'

say "prober-north is killed"
began=$EPOCHREALTIME
quietly docker kill "$north"
await 5 "its 6 tiles are stale, the other 6 are ok" \
    '(of("north") | every("stale")) and (of("south") | every("ok")) and (prober("north").up | not) and (.ok | not)'
show 'prober("north") | said'

say "prober-north is started"
began=$EPOCHREALTIME
quietly docker start "$north"
await 15 "all is well" 'well'

say "prober-south's container is made anew"
began=$EPOCHREALTIME
quietly timeout 60 "${compose[@]}" up -d --no-deps --force-recreate prober-south
await 30 "all is well, with the same 2 probers" 'well and (.probers | length == 2)'
south=$(container prober-south)

say "prober-north becomes three, that share its work"
began=$EPOCHREALTIME
quietly timeout 60 "${compose[@]}" up -d --no-deps --scale prober-north=3
await 30 "4 probers are up, all 12 watchers are ok" '.ok and up == 4 and (tiles | length == 12)'
say "one of the three is killed"
began=$EPOCHREALTIME
quietly docker kill "$north"
await 15 "the other two do its work" 'up == 3 and (of("north") | every("ok"))'
say "there is one again"
began=$EPOCHREALTIME
quietly timeout 60 "${compose[@]}" up -d --no-deps --scale prober-north=1
await 30 "its 6 watchers are ok" 'up == 2 and (of("north") | every("ok"))'
north=$(container prober-north)

say "prober-south is paused"
began=$EPOCHREALTIME
quietly docker pause "$south"
await 5 "its 6 tiles are stale, the other 6 are ok" '(of("south") | every("stale")) and (of("north") | every("ok"))'
show 'prober("south") | said'
began=$EPOCHREALTIME
quietly docker unpause "$south"
await 15 "it is back" 'up == 2 and (of("south") | every("ok"))'

say "prober-south is cut off from NATS"
began=$EPOCHREALTIME
quietly docker network disconnect "${project}_nats" "$south"
await 6 "its 6 tiles are stale" 'of("south") | every("stale")'
show 'prober("south") | said'
began=$EPOCHREALTIME
quietly docker network connect "${project}_nats" "$south"
await 15 "it is back" 'up == 2 and (of("south") | every("ok"))'

say "the dashboard is cut off from NATS"
began=$EPOCHREALTIME
quietly docker network disconnect "${project}_nats" "$dashboard"
await 6 "the board says that NATS is gone, no tile is ok" '(.nats.up | not) and all(tiles[]; .status != "ok")'
show '.nats.error'
began=$EPOCHREALTIME
quietly docker network connect --alias dashboard "${project}_nats" "$dashboard"
await 20 "all is well" '.nats.up and up == 2 and all(tiles[]; .status == "ok")'

say "NATS is paused"
began=$EPOCHREALTIME
quietly docker pause "$nats"
await 8 "the board says that NATS is gone, no tile is ok" '(.nats.up | not) and all(tiles[]; .status != "ok")'
began=$EPOCHREALTIME
quietly docker unpause "$nats"
await 20 "all is well" '.nats.up and up == 2 and all(tiles[]; .status == "ok")'

say "the key of site south is revoked"
began=$EPOCHREALTIME
quietly "${compose[@]}" run --rm keys keys revoke prober 'south/*'
quietly docker kill -s HUP "$nats"
await 10 "its 6 tiles are stale" 'of("south") | every("stale")'
began=$EPOCHREALTIME
quietly "${compose[@]}" run --rm keys # makes what is missing, and overwrites the old key
quietly docker kill -s HUP "$nats"
quietly docker restart "$south"
await 20 "with a new one it is back" 'up == 2 and (of("south") | every("ok"))'

say "NATS is killed"
began=$EPOCHREALTIME
quietly docker kill "$nats"
await 5 "the board says that NATS is gone" '.nats.up | not'
await 5 "no tile is ok" 'tiles | length == 12 and all(.[]; .status != "ok")'

say "NATS is started"
began=$EPOCHREALTIME
quietly docker start "$nats"
await 20 "all is well" 'well'

say "the dashboard is started anew"
began=$EPOCHREALTIME
quietly docker restart "$dashboard"
await 20 "all is well" 'well'

say "the probers stop, and say goodbye"
began=$EPOCHREALTIME
quietly docker kill -s TERM "$north" "$south"
await 5 "no tile is ok" '(tiles | length == 12 and all(.[]; .status == "stale")) and up == 0'

say "the rest stops"
began=$EPOCHREALTIME
quietly timeout 60 "${compose[@]}" stop
for container in "$north" "$south" "$dashboard" "$nats"; do
    ended=$(docker inspect -f '{{.Name}} ended with {{.State.ExitCode}}' "$container")
    [[ $ended == *" 0" || $container == "$nats" && $ended == *" 1" ]] || die "$ended"
done
saw "all ended by themselves"

say "the all-in-one starts"
quietly timeout 600 docker build -q -f Dockerfile --target allinone -t pharos-allinone ..
began=$EPOCHREALTIME
quietly docker run -d --name "$alone" --read-only --tmpfs /tmp --cap-drop ALL -p "$PHAROS_BOARD:8811" pharos-allinone
await 20 "it shows its sample" '.nats.up and (.probers | length == 1) and .counts.waiting == 0 and .counts.stale == 0 and .counts.unknown == 0 and .counts.ok > 0'
await_healthy "$alone" "the all-in-one"
