# What the project is built, tested and measured with. `make test` sets up what
# the tests need, a browser included.
GO ?= go

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

.PHONY: all build test race vet fuzz simulate bench chaos soak browser pictures clean stack release deb rpm

all: build

build:
	$(GO) build -trimpath -o bin/ ./cmd/...

# The page is tested in a real browser, pages through ssh with a real curl. Root
# gets what is missing from Debian's packages; anybody else reads in one line what
# is not tested, which is an error where CI is set.
BROWSERS = chromium chromium-browser google-chrome
FONTS = fonts-dejavu-core fonts-inter fonts-liberation fonts-noto-color-emoji fonts-noto-core fonts-roboto
browser:
	@missing=; \
	command -v curl >/dev/null || missing="curl"; \
	for name in $(BROWSERS); do command -v $$name >/dev/null && break; done || missing="$$missing chromium"; \
	command -v firefox-esr >/dev/null || command -v firefox >/dev/null || missing="$$missing firefox-esr"; \
	for name in "Inter" "Roboto" "Noto Sans" "Noto Color Emoji" "Liberation Sans" "DejaVu Sans"; do \
		fc-list -q ":family=$$name" 2>/dev/null || { missing="$$missing $(FONTS)"; break; }; done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		echo "installing $$missing"; \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "not tested, for want of a package: what needs$$(echo " $$missing" | sed 's/ fonts-.*//'); get it with: sudo apt-get install $$missing"; \
		[ -z "$$CI" ]; \
	fi

test: browser
	$(GO) test ./...

# Every picture in docs/board, in the fonts that the tests bring: three minutes.
pictures: browser
	$(GO) test -count=1 ./internal/ui -run TestScreenshots -screenshots "$(CURDIR)/docs/board"

# The page's tests and those of whole processes have no code of ours to watch.
race: browser
	CGO_ENABLED=1 $(GO) test -race $$($(GO) list ./... | grep -v -e /internal/ui$$ -e /internal/chaos$$)

vet:
	@files=$$(gofmt -l .); test -z "$$files" || { echo "gofmt would change:"; echo "$$files"; exit 1; }
	$(GO) vet -tags bench,chaos ./...
	$(GO) run $(STATICCHECK) -tags bench,chaos ./...
	@for os in windows darwin; do GOOS=$$os CGO_ENABLED=0 $(GO) vet ./cmd/... || exit 1; done

clean:
	rm -rf bin dist

# Every fuzz test for a moment: FUZZTIME=10m for more.
FUZZTIME ?= 5s
fuzz:
	@grep -rlE '^func Fuzz' --include='*_test.go' internal | xargs -n1 dirname | sort -u | while read -r room; do \
		for name in $$(grep -rhoE '^func Fuzz[A-Za-z]+' "$$room" --include='*_test.go' | sed 's/^func //' | sort -u); do \
			$(GO) test "./$$room" -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 1s || exit 1; \
		done; \
	done

# Random plays of faults in simulated time, each of four minutes: a thousand take
# about five minutes. SEED=76 SEEDS=1 plays one again.
SEED ?= 1
SEEDS ?= 1000
simulate:
	$(GO) test -count=1 -timeout 60m ./internal/simulate -run Whatever -seed $(SEED) -seeds $(SEEDS)

# Every fault of docs/faults.md, many times, with real processes, and the soak
# after them, whatever was missed before: about half an hour. It takes root, for
# network namespaces of its own. One case alone: make chaos CASE=flickers.
CASE ?=
SOAK = $(GO) test -count=1 -timeout 15m -v ./internal/ui -run TestSoak -soak 1h
chaos: browser
	$(GO) vet -tags chaos ./internal/chaos
	@status=0; \
	$(GO) test -tags chaos -count=1 -timeout 45m -run 'TestFaults/$(CASE)' -v ./internal/chaos || status=1; \
	$(if $(CASE),,$(SOAK) || status=1;) \
	exit $$status

# An hour's worth of frames in Chromium, at ten times the speed: six minutes.
soak: browser
	$(SOAK)

# The figures of docs/speed.md, as ratios to what is run beside it: four minutes.
# The benchmarks of single functions are go test -bench . ./internal/...
bench:
	$(GO) test -tags bench -count=1 -timeout 10m -run TestSpeed -v ./internal/bench

# The compose stack on this machine's Docker engine, from nothing to green, broken in
# every way and healed: deploy/try.sh. Root gets what is missing.
stack:
	@missing=; \
	docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || missing="docker-compose"; \
	for tool in curl jq debootstrap; do command -v $$tool >/dev/null || missing="$$missing $$tool"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	fi
	deploy/try.sh

# What is handed out, in dist/: archives, packages, checksums, a bill of materials.
release:
	deploy/release.sh
deb rpm:
	deploy/release.sh packages $@
