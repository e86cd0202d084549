#!/bin/bash
# Tries the cluster of this folder on this machine: three NATS servers, two
# dashboards, probers at three sites. It restarts the servers one by one in lame duck
# mode, kills them, and looks at both boards. It takes Go, curl and jq.
set -euo pipefail
cd "$(dirname "$0")"
export LC_ALL=C
here=$PWD
work=$(mktemp -d)
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    local code=$?
    trap - EXIT
    # shellcheck disable=SC2046
    kill $(cat "$work"/*.pid) 2>/dev/null || true
    wait || true
    ((code == 0)) || tail -n 5 "$work"/*.log
    rm -rf "$work"
    ((code == 0)) && echo "all as it should be"
    exit "$code"
}
trap cleanup EXIT
die() {
    echo "NOT AS IT SHOULD BE: $*"
    exit 1
}
(cd ../.. && CGO_ENABLED=0 go build -trimpath -o "$work/" ./cmd/prober ./cmd/dashboard github.com/nats-io/nats-server/v2)
cd "$work"

# run NAME COMMAND...: in the background, with its output in a file.
run() {
    local name=$1
    shift
    "$@" >>"$work/$name.log" 2>&1 &
    echo $! >"$work/$name.pid"
}
port() { echo $((14220 + $1 + $2)); }
server() {
    local others=() i
    for i in 1 2 3; do
        [[ $i == "$1" ]] || others+=("\"nats-route://127.0.0.1:$(port 10 "$i")\"")
    done
    (
        cd keys/server
        export NAME=nats-$1 LISTEN=127.0.0.1:$(port 0 "$1") CLUSTER=127.0.0.1:$(port 10 "$1") MONITOR=127.0.0.1:$(port 30 "$1") STORE=$work/store-$1
        ROUTES="[$(
            IFS=,
            echo "${others[*]}"
        )]"
        export ROUTES
        run "nats-$1" "$work/nats-server" -c nats.conf
    )
}
# healthy N: waits until a server has caught up with the others.
healthy() {
    local limit=$((SECONDS + 60 * ${PATIENCE:-1}))
    until curl -fs "http://127.0.0.1:$(port 30 "$1")/healthz" >healthz; do
        ((SECONDS < limit)) || die "server $1 is not healthy: $(<healthz)"
        sleep 0.3
    done
}

./dashboard keys init --nats "127.0.0.1:$(port 0 1),127.0.0.1:$(port 0 2),127.0.0.1:$(port 0 3)" \
    --with 'prober hq/*' --with 'prober berlin/*' --with 'prober oslo/*' 2>/dev/null
./dashboard keys add dashboard third >third.key 2>/dev/null
cp "$here/nats.conf" keys/server/
for i in 1 2 3; do server $i; done
for i in 1 2 3; do healthy $i; done
echo "nats: {replicas: 3}" >board.yaml
run board-1 ./dashboard -c board.yaml --key keys/dashboard/dashboard.key --listen 127.0.0.1:14271
run board-2 ./dashboard -c board.yaml --key third.key --listen 127.0.0.1:14272
echo "sets: [{name: Set, watchers: [{name: One, command: 'true', interval: 1s}, {name: Two, command: 'true', interval: 1s}]}]" >pharos.yaml
for site in hq berlin oslo; do
    run "prober-$site" ./prober -c pharos.yaml --key keys/$site/prober.key --prober p1
done

board() { curl -fsS --max-time 2 "http://127.0.0.1:$((14270 + $1))/api/v1/board" 2>curl.log; }
# await SECONDS WHAT TEST [BOARD...]
await() {
    local began=$EPOCHREALTIME i
    for i in ${4:-1 2}; do
        until board "$i" >"board-$i" && jq -e "$3" "board-$i" >/dev/null; do
            jq -en "$EPOCHREALTIME - $began > $1 * ${PATIENCE:-1}" >/dev/null && die "board $i, not within $1 s: $2; it says $(jq -c 'del(.sets)' "board-$i")"
            sleep 0.1
        done
    done
    printf '%8.2f s  %s\n' "$(jq -n "$EPOCHREALTIME - $began")" "$2"
}
all='.ok and .nats.up and .nats.store and .nats.error == "" and ([.sets[].watchers[] | select(.status == "ok")] | length == 6)'
await 60 "3 sites are ok on both boards" "$all"
leader() {
    local i
    for i in 1 2 3; do
        curl -fs "http://127.0.0.1:$(port 30 $i)/jsz?streams=true" | jq -r '.account_details[]?.stream_detail[]? | select(.name == "PHAROS") | .cluster.leader' && return
    done
}
replicas=$(curl -fs "http://127.0.0.1:$(port 30 1)/jsz?streams=true" | jq '[.account_details[].stream_detail[] | select(.name == "PHAROS") | .cluster.replicas[]] | length')
[[ $replicas == 2 ]] || die "the stream has $replicas replicas besides its leader"

# watch: writes down every tile that is not shown as ok, while it runs.
watch() {
    while sleep 0.2; do
        board "$1" | jq -c '[.sets[].watchers[] | select(.status != "ok") | {id, status}] | select(length > 0)' >>"wrong-$1" || true
    done
}
echo "the servers are restarted one by one, in lame duck mode"
watch 1 & echo $! >watch-1.pid
watch 2 & echo $! >watch-2.pid
for i in 1 2 3; do
    pid=$(<nats-$i.pid)
    ./nats-server --signal "ldm=$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    server $i
    healthy $i
done
sleep 5
kill "$(<watch-1.pid)" "$(<watch-2.pid)"
wrong=$(cat wrong-1 wrong-2 | wc -l)
echo "            $wrong looks at the boards saw a tile that was not ok"
((wrong == 0)) || { sort wrong-1 wrong-2 | uniq -c | head; die "a tile was wrong"; }
await 30 "all is well" "$all"

echo "the stream's leader is killed"
first=$(leader)
kill -9 "$(<"$first.pid")"
await 30 "all is well" "$all"
echo "a second server is killed"
for second in nats-1 nats-2 nats-3; do [[ $second == "$first" ]] || break; done
kill -9 "$(<"$second.pid")"
await 60 "both boards say that last values are not kept, or that NATS is gone; what is seen live is ok" \
    '(.nats.store | not) and ([.sets[].watchers[] | select(.status == "ok")] | length == 6)'
jq -r '"            " + .nats.error' board-1
echo "all are killed"
for i in 1 2 3; do kill -9 "$(<nats-$i.pid)" 2>/dev/null || true; done
await 10 "both boards say that NATS is gone, no tile is ok" '(.nats.up | not) and all(.sets[].watchers[]; .status != "ok")'
echo "all are started"
for i in 1 2 3; do server $i; done
await 60 "all is well" "$all"
echo "a dashboard is killed"
kill -9 "$(<board-1.pid)"
await 5 "the other shows all" "$all" 2
