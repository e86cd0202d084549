#!/bin/sh
# A deb says "remove" or "upgrade", an rpm how many are left.
set -e
case "$1" in
remove | 0)
    if [ -d /run/systemd/system ]; then
        for unit in pharos-prober pharos-dashboard pharos-allinone; do
            systemctl disable --now "$unit.service" || true
        done
    fi
    ;;
esac
