#!/bin/bash
# Installs, upgrades and removes the deb of dist/ in a container of its own, and looks
# each time: what somebody has written in /etc/pharos stays. IMAGE is one with dpkg.
set -euo pipefail
cd "$(dirname "$0")/../.."
image=${IMAGE:-debian:bookworm-slim}
deb=$(ls dist/pharos_*_amd64.deb)
docker run --rm -i -v "$PWD/$deb:/first.deb:ro" "$image" sh -eu <<'END'
die() { echo "NOT AS IT SHOULD BE: $*"; exit 1; }
dpkg -i /first.deb >/dev/null
for program in prober dashboard allinone; do
    "$program" --version >/dev/null || die "$program does not run"
    test -s "/usr/share/bash-completion/completions/$program" || die "no completion for $program"
    test -s "/usr/lib/systemd/system/pharos-$program.service" || die "no unit for $program"
done
for name in pharos prober; do
    test -n "$(case $name in pharos) allinone --check -c /etc/pharos/pharos.yaml ;; *) prober --check -c /etc/pharos/prober.yaml ;; esac)" || die "$name.yaml is not fine"
done
dashboard --check -c /etc/pharos/dashboard.yaml >/dev/null || die "dashboard.yaml is not fine"
echo "title: Mine" >/etc/pharos/dashboard.yaml
# The same package with a later version and another dashboard.yaml.
mkdir /later && cd /later && dpkg-deb -R /first.deb . && sed -i 's/^Version: .*/Version: 99.0.0/' DEBIAN/control && echo "# later" >>etc/pharos/dashboard.yaml && rm -f DEBIAN/md5sums && dpkg-deb -b . /second.deb >/dev/null
DEBIAN_FRONTEND=noninteractive dpkg -i --force-confdef --force-confold /second.deb >/dev/null 2>&1
grep -q "title: Mine" /etc/pharos/dashboard.yaml || die "an upgrade has overwritten dashboard.yaml"
dpkg -r pharos >/dev/null 2>&1
test ! -e /usr/bin/prober || die "prober is still there"
grep -q "title: Mine" /etc/pharos/dashboard.yaml || die "removing it has taken dashboard.yaml"
dpkg -P pharos >/dev/null 2>&1
test ! -e /etc/pharos/prober.yaml || die "purging it has left prober.yaml"
echo "the deb: installed, upgraded, removed and purged as it should be"
END
