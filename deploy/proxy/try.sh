#!/bin/bash
# Tries the settings in this folder: an all-in-one behind nginx, Caddy and HAProxy, those
# of them that this machine has. Each must show the page, and its stream as it
# comes, at the root and at a sub-path. It takes curl, openssl and Go.
set -euo pipefail
cd "$(dirname "$0")"
work=$(mktemp -d)
pids=()
# shellcheck disable=SC2317 # the trap calls it
cleanup() {
    ((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null
    wait
    rm -rf "$work"
}
trap cleanup EXIT
die() {
    echo "NOT AS IT SHOULD BE: $*"
    cat "$work"/*.log
    exit 1
}
go build -o "$work/allinone" ../../cmd/allinone
cat >"$work/pharos.yaml" <<'END'
sets: [{name: Set, watchers: [{name: One, command: "date +%N", value: number, interval: 500ms}]}]
dashboard: {hosts: wall.example, trusted_proxies: 127.0.0.1}
nats: {store_dir: memory}
END
"$work/allinone" -c "$work/pharos.yaml" --listen 127.0.0.1:8811 >"$work/allinone.log" 2>&1 &
pids+=($!)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=wall.example -addext subjectAltName=DNS:wall.example -keyout "$work/wall.key" -out "$work/wall.pem" 2>/dev/null
cat "$work/wall.pem" "$work/wall.key" >"$work/wall.both"

get() { curl -sSk --resolve wall.example:8443:127.0.0.1 --max-time "${2:-10}" "https://wall.example:8443$1" 2>"$work/curl.log"; }

behind() {
    local name=$1 path limit=$((SECONDS + 60))
    shift
    "$@" >"$work/$name.log" 2>&1 &
    local pid=$!
    pids+=("$pid")
    until get /healthz >/dev/null; do
        ((SECONDS < limit)) || die "$name does not answer"
        sleep 0.2
    done
    for path in / /wall/; do
        get "$path" | grep -q '<title>' || die "$name: no page at $path"
        # Of a stream that is passed on as it comes, many frames have come after four seconds.
        frames=$(get "${path}events" 4 | grep -c '^data:' || true)
        ((frames >= 4)) || die "$name: $frames frames at ${path}events in four seconds"
        get "${path}api/v1/board" | grep -q '"One"' || die "$name: no board at $path"
    done
    echo "$name: the page, its stream and its API, at / and at /wall/"
    kill "$pid"
    wait "$pid" || true
}

if command -v nginx >/dev/null; then
    sed -e "s,wall\.\(pem\|key\);,$work/wall.\1;," nginx.conf >"$work/site.conf"
    # nginx before 1.25.1 has "http2" beside "ssl".
    nginx -v 2>&1 | grep -qE '/1\.(1|2[0-4])' && sed -i -e '/http2 on;/d' -e 's/ ssl;/ ssl http2;/' "$work/site.conf"
    printf 'daemon off; pid %s/pid; worker_shutdown_timeout 10s; error_log stderr; events {} http { access_log off; include %s/site.conf; }\n' "$work" "$work" >"$work/nginx.conf"
    behind nginx nginx -c "$work/nginx.conf"
fi
if command -v caddy >/dev/null; then
    XDG_DATA_HOME=$work XDG_CONFIG_HOME=$work behind Caddy caddy run --adapter caddyfile --config Caddyfile
fi
if command -v haproxy >/dev/null; then
    sed "s,wall.both,$work/wall.both," haproxy.cfg >"$work/haproxy.cfg"
    behind HAProxy haproxy -f "$work/haproxy.cfg"
fi
