#!/bin/sh
# What runs is started anew after an upgrade; nothing is started that did not run.
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload || true
    for unit in pharos-prober pharos-dashboard pharos-allinone; do
        systemctl try-restart "$unit.service" || true
    done
fi
