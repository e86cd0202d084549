#!/bin/bash
# Builds what is handed out, in dist/: with no argument the archives for Linux, macOS
# and Windows, the packages, a software bill of materials and the checksums;
# "packages deb" and "packages rpm" that alone. The same sources make the same
# bytes.
set -euo pipefail
cd "$(dirname "$0")/.."

NFPM=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
SBOM=github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0
version=$(sed -n 's/.*Version *= *"\(.*\)".*/\1/p' internal/pharos/version.go)
export LC_ALL=C CGO_ENABLED=0 VERSION=$version
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
programs=(prober dashboard allinone)
mkdir -p dist
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# build OS ARCH: the programs, in a folder of their own, which it prints.
build() {
    local to=$work/$1-$2
    mkdir -p "$to"
    GOOS=$1 GOARCH=$2 go build -trimpath -ldflags="-s -w" -o "$to/" "${programs[@]/#/./cmd/}"
    printf '%s' "$to"
}

# describe FOLDER: manual pages and completion, from the programs of this machine.
describe() {
    local name
    mkdir -p "$1"/{man,bash,zsh,fish} "$work/here"
    [[ -x $work/here/prober ]] || go build -trimpath -o "$work/here/" "${programs[@]/#/./cmd/}"
    for name in "${programs[@]}"; do
        "$work/here/$name" --describe man | gzip -9n >"$1/man/$name.1.gz"
        "$work/here/$name" --describe bash >"$1/bash/$name"
        "$work/here/$name" --describe zsh >"$1/zsh/_$name"
        "$work/here/$name" --describe fish >"$1/fish/$name.fish"
    done
}

# packages KIND...: debs or rpms for both architectures, or for those in ARCHS.
packages() {
    local arch kind
    for arch in ${ARCHS:-amd64 arm64}; do
        STAGE=$(build linux "$arch")
        export STAGE ARCH=$arch
        describe "$STAGE"
        for kind in "$@"; do
            go run "$NFPM" package -f deploy/package/nfpm.yaml -p "$kind" -t dist/
        done
    done
}

archives() {
    local os arch to name
    for os in linux darwin windows; do
        for arch in amd64 arm64; do
            name=pharos_${version}_${os}_$arch
            to=$work/$name
            mv "$(build $os $arch)" "$to"
            describe "$to"
            cp -r README.md docs deploy/nats.conf deploy/systemd "$to/"
            rm -rf "$to/docs/board"
            find "$to" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
            if [[ $os == windows ]]; then
                rm -f "dist/$name.zip"
                (cd "$work" && find "$name" | sort | TZ=UTC zip -qX9@ "$OLDPWD/dist/$name.zip")
            else
                tar -C "$work" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner -c "$name" | gzip -9n >"dist/$name.tar.gz"
            fi
        done
    done
}

if [[ ${1:-} == packages ]]; then
    packages "${@:2}"
    exit
fi
command -v zip >/dev/null || { echo "no zip on this machine: apt-get install zip"; exit 1; }
rm -rf dist/*
archives
packages deb rpm
go run "$SBOM" mod -json -licenses -noserial -output "dist/pharos_${version}_sbom.json"
(cd dist && sha256sum -- * >SHA256SUMS)
ls -l dist
