# make without a target lists the targets. Go and make are all it takes, apart
# from the image targets that say so; tools are pinned here and run with `go run`.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BINARY ?= bin/status-reporter

# Of the commit, never of the day: the same commit makes the same bytes.
VERSION ?= $(or $(shell git describe --tags --always --dirty 2>/dev/null),dev)
COMMIT  ?= $(shell git rev-parse HEAD 2>/dev/null)
DATE    ?= $(shell TZ=UTC0 git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null)

LDFLAGS  := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT) -X main.date=$(DATE)
# The Kubernetes types' generated code is linked, and never called in a loop: without
# inlining it is 0.2 MB less. As much again, and 0.1 MB of memory, are its maps of
# documentation: with wrapglobalmapctl=2 the linker leaves out small maps too where
# nothing refers to them, as it does with large ones.
LIBRARY_FLAGS := $(foreach p,k8s.io sigs.k8s.io github.com/fxamacker github.com/json-iterator,-gcflags='$(p)/...=-l -d=wrapglobalmapctl=2')
GO_BUILD := CGO_ENABLED=0 go build -trimpath -buildvcs=false $(LIBRARY_FLAGS) -ldflags '$(LDFLAGS)'

# The race detector needs a C compiler; Go sets CGO_ENABLED=0 where there is none.
RACE ?= $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# docker or podman, whichever is there.
ENGINE ?= $(firstword $(notdir $(wildcard $(foreach d,$(subst :, ,$(PATH)),$(d)/docker $(d)/podman))))

IMAGE_REGISTRY ?=
IMAGE_NAME     ?= status-reporter
IMAGE_TAG      ?= $(VERSION)
IMAGE_REPO     := $(if $(IMAGE_REGISTRY),$(IMAGE_REGISTRY)/)$(IMAGE_NAME)
IMAGE          := $(IMAGE_REPO):$(IMAGE_TAG)
PLATFORMS      ?= linux/amd64 linux/arm64
BASE           ?= gcr.io/distroless/static:nonroot

# Or buildx makes a list of each image, which can be no part of another list.
export BUILDX_NO_DEFAULT_ATTESTATIONS := 1

# Podman before 4.6 does not set BUILDPLATFORM, and would compile in emulation.
BUILD_IMAGE = $(ENGINE) build --build-arg BASE=$(BASE) \
  $(if $(filter podman,$(ENGINE)),--build-arg BUILDPLATFORM=linux/$(shell go env GOHOSTARCH)) \
  --build-arg APP_VERSION=$(VERSION) --build-arg COMMIT=$(COMMIT) --build-arg DATE=$(DATE) \
  $(if $(GOFIPS140),--build-arg GOFIPS140=$(GOFIPS140))

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOCYCLO     := github.com/fzipp/gocyclo/cmd/gocyclo@v0.6.0
ACTIONLINT  := github.com/rhysd/actionlint/cmd/actionlint@v1.7.12
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0
CYCLONEDX   := github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod@v1.10.0

# Modules of their own, so that the reporter's stays small.
TOOL_MODULES := $(patsubst %/go.mod,%,$(wildcard hack/*/go.mod test/*/*/go.mod))

.PHONY: help
help: ## List the targets, by what they are for
	@awk -F ':.*## ' '/^##@ / {printf "\n%s\n", substr($$0, 5)} /^[A-Za-z0-9._-]+:.*## / {printf "  %-19s %s\n", $$1, $$2} /^## / {printf "  %-19s %s\n", "", substr($$0, 4)}' $(MAKEFILE_LIST)

##@ Try

CASE ?= success

.PHONY: demo
demo: binary ## Run an adapter beside the real reporter, without a cluster, and print the Job and a timeline
## ADAPTER=./my-adapter.sh is yours; CASE=success|failure|crash|oom|timeout|invalid|missing are here
## EXPECT=REASON fails unless that is the condition's; the reporter takes MAX_WAIT_TIME_SECONDS=60
	@go run ./kubeapi/kubetest/try -reporter $(BINARY) $(if $(EXPECT),-expect-reason $(EXPECT)) $(if $(ADAPTER),-- $(ADAPTER),-case $(CASE))

##@ Build

.PHONY: binary
binary: ## Build bin/status-reporter: static, stripped, reproducible
## GOOS and GOARCH cross-compile; GOFIPS140=v1.0.0 takes the certified FIPS 140-3 module
	$(GO_BUILD) -o $(BINARY) .

.PHONY: engine
engine:
	@[[ -n "$(ENGINE)" ]] || { echo 'neither docker nor podman is here; make image-tar needs none'; exit 1; }

.PHONY: image
image: engine ## Build an image for each of PLATFORMS with docker or podman, as IMAGE_NAME:IMAGE_TAG-ARCH
## PLATFORMS='linux/amd64 linux/arm64'; BASE=scratch leaves distroless out
	for platform in $(PLATFORMS); do \
	  $(BUILD_IMAGE) --platform $$platform --tag $(IMAGE)-$${platform##*/} .; \
	done

.PHONY: image-push
image-push: image ## Push these images to IMAGE_REGISTRY, and the list of them as IMAGE_NAME:IMAGE_TAG
	@[[ -n "$(IMAGE_REGISTRY)" ]] || { echo 'set IMAGE_REGISTRY, as in IMAGE_REGISTRY=registry.example.com/team'; exit 1; }
	for platform in $(PLATFORMS); do $(ENGINE) push $(IMAGE)-$${platform##*/}; done
	-$(ENGINE) manifest rm $(IMAGE)
	$(ENGINE) manifest create $(IMAGE) $(foreach p,$(PLATFORMS),$(IMAGE)-$(notdir $(p)))
	$(ENGINE) manifest push $(if $(filter podman,$(ENGINE)),--all $(IMAGE) docker://)$(IMAGE)

.PHONY: image-dev
image-dev: engine ## Build IMAGE_NAME:dev for this machine's architecture, and push it where IMAGE_REGISTRY is set
	$(BUILD_IMAGE) --tag $(IMAGE_REPO):dev .
	$(if $(IMAGE_REGISTRY),$(ENGINE) push $(IMAGE_REPO):dev)

.PHONY: image-tar
image-tar: ## Write an OCI archive for each of PLATFORMS to dist/, on scratch, without docker or podman
## for ctr images import, podman load, docker load
	@mkdir -p dist
	@GOOS= GOARCH= go -C hack/image build -o ../../bin/image .
	@for platform in $(PLATFORMS); do \
	  out=dist/$(IMAGE_NAME)-$(VERSION)-$${platform//\//-}; \
	  GOOS=$${platform%/*} GOARCH=$${platform#*/} $(MAKE) -s binary BINARY=$$out; \
	  bin/image -binary $$out -platform $$platform -tag $(IMAGE) \
	    -version "$(VERSION)" -commit "$(COMMIT)" -date "$(DATE)" -o $$out.tar; \
	done

GOLDEN_VERSION := $(shell sed -n 's/^  "version": "\(.*\)",/\1/p' testdata/index.json)

.PHONY: golden.tar.gz
golden.tar.gz: ## Pack the golden suite for other repositories
	@mkdir -p dist
	git archive --format=tar.gz --prefix=golden-$(GOLDEN_VERSION)/ -o dist/golden-$(GOLDEN_VERSION).tar.gz HEAD:testdata \
	  README.md index.json adapter-result.schema.json default.pod.json default.job.json contract containers config examples
	@echo dist/golden-$(GOLDEN_VERSION).tar.gz

.PHONY: dist
dist: image-tar ## What a release holds, in dist/: binaries, archives, SBOM, checksums
	@cd dist && for binary in $$(ls | grep -E -- '-linux-[a-z0-9]+$$'); do \
	  go run $(CYCLONEDX) bin -json -output-version 1.6 -noserial -version "$(VERSION)" -output $$binary.cdx.json $$binary; \
	done
	@cd dist && rm -f SHA256SUMS && sha256sum * >SHA256SUMS && cat SHA256SUMS

# Not by go run, which hides its exit code.
BUILD_GOVULNCHECK := GOBIN=$(CURDIR)/bin GOOS= GOARCH= go install $(GOVULNCHECK)

VEX_PRODUCT ?= pkg:golang/github.com/openshift-hyperfleet/status-reporter@$(VERSION)
VEX         ?= dist/status-reporter-$(VERSION).openvex.json

.PHONY: vex
vex: ## Write to dist/ which known vulnerabilities touch the program, and which do not, as OpenVEX
## before dist, whose checksums take it in; VEX_PRODUCT is what it speaks of, VEX=FILE its place
	@$(BUILD_GOVULNCHECK)
	hack/vulncheck.sh bin/govulncheck '$(VEX_PRODUCT)' '$(VEX)'

.PHONY: clean
clean: ## Remove what the targets make
	rm -rf bin dist coverage.* bench.* bench-fleet.*

.PHONY: mod-tidy
mod-tidy: ## Tidy and verify the modules
	go mod tidy
	for module in $(TOOL_MODULES); do (cd $$module && go mod tidy); done
	go mod verify

##@ Check

.PHONY: fmt
fmt: ## Format the code
	gofmt -s -w .

.PHONY: lint
lint: ## gofmt, go vet, staticcheck, and no function over a cyclomatic complexity of 15
	@unformatted=$$(gofmt -s -l .); [[ -z $$unformatted ]] || { printf 'not formatted (make fmt):\n%s\n' "$$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	go run $(GOCYCLO) -over 15 -ignore '_test\.go$$' .

# What takes longer plays the whole program, or needs it built.
UNITS = $(shell go list ./... | grep -vE '/test/(apiserver|bench|chaos|e2e|faults|golden|program)|/kubetest/try$$')

.PHONY: check
check: lint ## Lint and unit tests without the race detector, under a minute once built
	go test $(UNITS)

.PHONY: verify
verify: lint test ## lint + test

##@ Test

.PHONY: test
test: ## Run all tests, with the race detector where there is a C compiler, and explore
	$(if $(RACE),,@echo 'no C compiler: testing without the race detector')
	go test $(RACE) ./...
	@$(MAKE) explore

.PHONY: test-coverage
test-coverage: ## Run all tests and print the coverage of each package
	go test $(RACE) -coverprofile=coverage.out ./...
	@go tool cover -func=coverage.out | tail -n 1

.PHONY: test-coverage-html
test-coverage-html: test-coverage ## The same as a page: coverage.html
	go tool cover -html=coverage.out -o coverage.html

.PHONY: test-image
test-image: ## Test the maker of the OCI archives
	cd hack/image && go vet ./... && go test ./...

.PHONY: test-dockerfile
test-dockerfile: ## Build the Dockerfile for real, with buildah and stand-ins for the base images
## says SKIPPED without buildah
	hack/dockerfile-test.sh

.PHONY: test-schema
test-schema: ## Compare the golden suite's JSON Schema with the parser, by a validator of its own module
	cd hack/schematest && go vet ./... && go test -count=1 ./... # what it reads is no part of its module, so that go would not know of changes

.PHONY: test-consumers
test-consumers: ## Run the recipes of docs/consumers.md: Argo CD's health check, JSONPaths, Prometheus rules
## the rules need promtool
	cd hack/consumers && go vet ./... && go test -count=1 ./...

.PHONY: test-workflows
test-workflows: ## Check .github/workflows, and the recipe in SECURITY.md that one of them runs
	go run $(ACTIONLINT) -color=false
	hack/verify-test.sh

.PHONY: vulncheck
vulncheck: ## Look up known vulnerabilities in the code that is called
## says SKIPPED where the database cannot be reached
	@$(BUILD_GOVULNCHECK)
	@hack/vulncheck.sh bin/govulncheck

.PHONY: test-examples
test-examples: binary ## Run the golden suite's examples in Python and shell, as far as the machine has these
	testdata/examples/run.sh $(BINARY)

ARCHITECTURES ?= arm64 s390x ppc64le

.PHONY: test-arch
test-arch: ## Run the golden suite with the real binaries of other ARCHITECTURES, under qemu
## ARCHITECTURES='arm64 s390x ppc64le'; it takes Debian's qemu-user
	@for arch in $(ARCHITECTURES); do \
	  emulator=qemu-$$(sed 's/^arm64$$/aarch64/; s/^amd64$$/x86_64/; s/^386$$/i386/' <<<$$arch); \
	  [[ $$arch == $$(go env GOHOSTARCH) ]] && emulator= || command -v $$emulator >/dev/null || { echo "there is no $$emulator: install Debian's package qemu-user"; exit 1; }; \
	  GOOS=linux GOARCH=$$arch $(MAKE) -s binary BINARY=bin/status-reporter-$$arch; \
	  echo "$$arch$${emulator:+ under $$emulator}"; \
	  STATUS_REPORTER_COMMAND="$$emulator $(CURDIR)/bin/status-reporter-$$arch" go test -count=1 -parallel 8 -timeout 20m -v -run '^TestGoldenCommand$$' ./test/golden | \
	    grep --line-buffered -vE '^ *(=== |--- PASS: [^/]+/)'; \
	done

##@ Test on a real API server

.PHONY: test-apiserver
test-apiserver: ## Golden suite, deliveries, 200 Jobs, policies, the double's fidelity, on a real kube-apiserver
## built once; KUBERNETES=1.30.14 is another version; KUBEBUILDER_ASSETS=DIR has one
	@dirs=$$(go run ./test/apiserver/assets -kubernetes '$(KUBERNETES)'); \
	STATUS_REPORTER_APISERVER=$$dirs go test -count=1 -p 1 -parallel 32 -timeout 20m -v -run '^(TestAPIServer|TestFidelity|TestPolicies|TestConsumers)$$' ./test/apiserver | \
	  grep --line-buffered -vE '^ *(=== |--- PASS: [^/]+/[^/]+/)'

.PHONY: test-matrix
test-matrix: ## The same on the oldest, a middle and the newest version, and the table in docs/versions.md
## VERSIONS='1.35.4 1.36.3' are others
	go run ./test/apiserver/matrix $(if $(VERSIONS),-versions '$(VERSIONS)') ./test/apiserver

.PHONY: e2e
e2e: ## Run real Jobs with adapters that succeed, crash or hang on KUBECONFIG's cluster, and judge each
## IMAGE=… is the reporter's, within reach of the nodes; ADAPTER_IMAGE=busybox:1.36 the adapters'
## RUN=REGEXP runs some cases; SLACK=10s is for a slow cluster; INJECT=1 adds by deploy/inject
	go run ./test/e2e -image $(IMAGE) $(if $(INJECT),-inject) $(if $(ADAPTER_IMAGE),-adapter-image $(ADAPTER_IMAGE)) $(if $(RUN),-run '$(RUN)') $(if $(SLACK),-slack $(SLACK))

##@ Search

.PHONY: chaos
chaos: ## Play N=500 Jobs with random adapters, faults and stops, drawn from SEED=1
## ONLY=I plays one of them and tells its story
	go test -count=1 -timeout 60m -v -run '^TestChaos$$' ./test/chaos -chaos.n=$(or $(N),500) -chaos.seed=$(or $(SEED),1) $(if $(ONLY),-chaos.only=$(ONLY)) | \
	  grep --line-buffered -vE '^ *(=== |--- PASS: TestChaos/)'

# Without the race detector: the state is pure.
.PHONY: explore
explore: ## Play all that can happen to the reporter, in every order, up to DEPTH=3 events
## and WALKS=5000 random runs, drawn from SEED=1; TIME=10m bounds it; ONLY=NAME is one start
## STORY=… tells one run; UPDATE=1 rewrites what docs/faults.md says of it
	@go test -count=1 -timeout 24h -v -run '$(if $(STORY),^TestTell$$,^Test(Explore|Walk)$$)' ./watch $(if $(STORY),'-explore.story=$(STORY)', \
	  -explore.depth=$(or $(DEPTH),3) -walk.n=$(or $(WALKS),5000) -walk.seed=$(or $(SEED),1) $(if $(TIME),-explore.time=$(TIME)) $(if $(ONLY),'-explore.only=$(ONLY)') $(if $(UPDATE),-explore.update)) | \
	  grep --line-buffered -vE '^ *(=== |--- PASS: )'

# The files of the state: those that have no effects.
STATE ?= $(shell grep -LE '"(context|os|syscall)"|^//go:build' $(filter-out %_test.go,$(wildcard watch/*.go)))

.PHONY: mutate
mutate: ## Change one thing at a time in the code that decides, N=40 times: a test must notice each
## drawn from SEED=1; STATE=FILES are other files
	@go run ./test/mutate -n $(or $(N),40) -seed $(or $(SEED),1) -equivalent watch/testdata/equivalent.txt $(STATE)

FUZZTIME ?= 30s

.PHONY: fuzz
fuzz: ## Fuzz every fuzz target for FUZZTIME=30s
	@grep -rl --include=*_test.go '^func Fuzz' . | while read -r file; do \
	  for target in $$(grep -o '^func Fuzz[A-Za-z0-9]*' $$file | cut -c 6-); do \
	    echo "$$(dirname $$file) $$target"; \
	    out=$$(go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) ./$$(dirname $$file) </dev/null) || { echo "$$out"; exit 1; }; \
	    tail -n 1 <<<"$$out"; \
	  done; \
	done

##@ Measure

.PHONY: bench
bench: binary ## Print latency, requests, memory, CPU time and size as a table; write bench.md, .json and .svg
## AGAINST=PATH measures another reporter beside it; POLL=10s is how often that looks, if it polls
	go run ./test/bench -reporter $(BINARY) $(if $(AGAINST),-against $(AGAINST)) $(if $(POLL),-poll $(POLL))

.PHONY: bench-fleet
bench-fleet: binary ## The same of N=1000 reporters at once, with an outage; write bench-fleet.md, .json and .svg
## APISERVER=1 takes a real kube-apiserver and says what they cost it; AGAINST=PATH as above
	$(if $(APISERVER),dirs=$$(go run ./test/apiserver/assets); \
	STATUS_REPORTER_APISERVER=$$dirs go test -count=1 -timeout 60m -v -run '^TestFleet$$' ./test/bench -args --,go run ./test/bench) \
	  -reporter $(abspath $(BINARY)) -fleet $(or $(N),1000) -out $(CURDIR)/bench-fleet \
	  $(if $(AGAINST),-against $(abspath $(AGAINST)))

.PHONY: bench-docs
bench-docs: ## Put what bench and bench-fleet have written last into docs/performance.md
	go run ./test/bench -page docs/performance.md
