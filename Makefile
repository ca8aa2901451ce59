# Every command that people and CI use. `make` alone lists them.

SHELL     := bash
GO        ?= go
HELM_TOOL := $(GO) tool -modfile=tools/helm/go.mod
SBOM_TOOL := $(GO) tool -modfile=tools/sbom/go.mod
CHART     := charts/channel-connector
# Our modules: the product, and two that keep their dependencies apart.
MODULES   := . images localcluster
# The version to render the chart for without a cluster.
KUBERNETES = $(shell $(GO) list -modfile=localcluster/tools/controlplane/go.mod -m -f '{{.Version}}' k8s.io/kubernetes)
# kube-score wants these, and the chart leaves them to its user: network policies, and how images are pulled. A CPU
# limit would only slow a start down.
KUBESCORE := --ignore-test pod-networkpolicy,container-image-pull-policy --ignore-container-cpu-limit
# Uncommitted changes get a version of their own: a cluster does not pull an image again whose name it knows.
VERSION   ?= $(shell { git describe --tags --always \
	--dirty=-dirty-$$(git diff HEAD | git hash-object --stdin | cut -c 1-8) || echo dev; } 2>/dev/null)
REVISION  ?= $(shell git rev-parse HEAD 2>/dev/null)
# Images have the time of their commit, so that they come out the same at any time.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
# People's binaries and those in images are built alike. The binary has the time zones, because an image has no other
# place for them. grpcnotrace leaves out a page that is never served: for its templates the linker would keep every
# method, a fifth of the operator.
FLAGS     := -trimpath -buildvcs=false -tags timetzdata,grpcnotrace
BUILD     := CGO_ENABLED=0 $(GO) build $(FLAGS) -ldflags '-s -w -X xbot.a4b.vn/channel-connector/cmd/internal/version.Linked=$(VERSION)'
BIN       ?= bin
IMAGE     ?= channel-connector
PLATFORMS ?= linux/amd64 linux/arm64
DOCKER    := docker build --build-arg VERSION=$(VERSION) --build-arg REVISION=$(REVISION)
# A count, because a time limit may end a fuzzer with "context deadline exceeded" although it found nothing.
FUZZTIME  ?= 5000x
TESTFLAGS ?=
# The Kubernetes to use: local (made on this Linux machine, as root), kind (untested)
# or current (the one of the current kubectl context).
CLUSTER   ?= local
# The channel that quickstart shows: a folder of test/cmd/quickstart/channels.
CHANNEL   ?= zalo
# The program that runs the tests. CI sets gotestsum, which also counts them.
GOTEST    ?= $(GO) test

.DEFAULT_GOAL := help

##@ General

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*## "} \
		/^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z0-9-]+:.*## / {printf "  %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# A machine needs these in addition to Go and make, before Go can fetch anything. localcluster/cmd/setup installs them
# for root on Debian and Ubuntu. Only the local cluster needs more of this machine.
SETUP_CLUSTER := setup-$(if $(filter local,$(CLUSTER)),cluster,build)

.PHONY: setup-build setup-test setup-cluster
setup-build setup-test setup-cluster: setup-%:
	@GOTOOLCHAIN=local CGO_ENABLED=0 $(GO) -C localcluster run $(FLAGS) ./cmd/setup $*

##@ Use

QUICKSTART := CHANNEL='$(CHANNEL)' CLUSTER='$(CLUSTER)' IMAGE='$(IMAGE)' VERSION='$(VERSION)' test/cmd/quickstart/quickstart.sh

.PHONY: quickstart
quickstart: $(SETUP_CLUSTER) toolchain ## Try it in Kubernetes: a cluster, the operator, a channel and an event (CHANNEL=zalo, azure, messenger, zalobot; CLUSTER=local, kind, current)
	@$(QUICKSTART) up

.PHONY: quickstart-down
quickstart-down: ## Remove everything that quickstart made
	@$(QUICKSTART) down

# Binaries of an older Go have the holes of its standard library. go.mod names the oldest that will do; Go fetches it by
# itself unless it is told not to.
.PHONY: toolchain
toolchain:
	@wanted=$$(sed -n 's/^toolchain //p' go.mod); found=$$($(GO) env GOVERSION); \
	if [ "$$(printf '%s\n' "$$wanted" "$${found#devel }" | sort -V | head -n 1)" != "$$wanted" ]; then \
		echo "$$found is older than $$wanted, and what it builds has known security holes:" \
			"install $$wanted or newer, or let Go fetch it with GOTOOLCHAIN=auto" >&2; \
		exit 1; \
	fi

.PHONY: build
build: toolchain ## Build bin/connector and bin/operator
	$(BUILD) -o $(BIN)/ ./cmd/...

.PHONY: run
run: setup-build toolchain ## Try it: a sink, the connector and two events on this machine (ONCE=1: end after the demo)
	$(BUILD) -o $(BIN)/ ./cmd/connector
	@ONCE='$(ONCE)' test/cmd/demo/demo.sh $(BIN)/connector

.PHONY: images
images: toolchain ## Make the images of connector and operator for PLATFORMS, as OCI archives in dist/images
	@for platform in $(PLATFORMS); do \
		echo "building for $$platform"; \
		GOOS=$${platform%/*} GOARCH=$${platform#*/} $(BUILD) -o dist/bin/$$platform/ ./cmd/... || exit 1; \
	done
	@$(GO) -C images run . -binaries '$(CURDIR)/dist/bin' -out '$(CURDIR)/dist/images' -image '$(IMAGE)' -version '$(VERSION)' -revision '$(REVISION)' \
		-created '$(SOURCE_DATE_EPOCH)' $(PLATFORMS)

.PHONY: sbom
sbom: images ## List the modules in each image, in CycloneDX beside its archive
	@for platform in $(PLATFORMS); do for program in connector operator; do \
		$(SBOM_TOOL) cyclonedx-gomod bin -json -std -noserial -notimestamp -version '$(VERSION)' \
			-output dist/images/$$program-$${platform%/*}-$${platform#*/}.cdx.json \
			dist/bin/$$platform/$$program || exit 1; \
	done; done

.PHONY: image
image: ## Build the same images with Docker, for this platform
	$(DOCKER) --target connector -t $(IMAGE):$(VERSION) .
	$(DOCKER) --target operator -t $(IMAGE)-operator:$(VERSION) .

# The chart takes VERSION if that is a semantic version, v1.2.3 as 1.2.3, and keeps its own otherwise: Helm accepts no
# other.
CHART_VERSION = $(shell echo '$(VERSION)' | sed -nE 's/^v?([0-9]+\.[0-9]+\.[0-9]+([-+].*)?)$$/\1/p')
CHARTS       ?= dist

.PHONY: chart
chart: ## Package the Helm chart into CHARTS (dist), with the images of IMAGE and VERSION
	@copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; \
	cp -R $(CHART) "$$copy/chart" && \
	sed -E 's|^( +repository: )channel-connector(-operator)?$$|\1$(IMAGE)\2|' $(CHART)/values.yaml >"$$copy/chart/values.yaml" && \
	$(HELM_TOOL) helm package "$$copy/chart" --app-version '$(VERSION)' $(CHART_VERSION:%=--version '%') --destination '$(CHARTS)'

##@ Cluster

CLUSTER_RUN := $(GO) -C localcluster run ./cmd/cluster -cluster=$(CLUSTER)

.PHONY: cluster-up
cluster-up: $(SETUP_CLUSTER) ## Start a Kubernetes cluster (CLUSTER=local, kind or current)
	$(CLUSTER_RUN) up

.PHONY: cluster-status
cluster-status: ## List the nodes and daemons of the cluster
	$(CLUSTER_RUN) status

.PHONY: cluster-down
cluster-down: ## Remove the cluster and everything that it made
	$(CLUSTER_RUN) down

##@ Check

# Prints the folder with the kube-apiserver and etcd of the tests.
ASSETS := $(GO) -C localcluster run ./cmd/controlplane

# By default the control plane of the tests waits 20 s for its own processes, which is short on a busy machine.
.PHONY: test
test: export KUBEBUILDER_CONTROLPLANE_START_TIMEOUT := 5m
test: export KUBEBUILDER_CONTROLPLANE_STOP_TIMEOUT := 5m
test: setup-test toolchain ## Run all tests with the race detector (needs a C compiler)
	KUBEBUILDER_ASSETS="$$($(ASSETS))" && export KUBEBUILDER_ASSETS && \
		for module in $(MODULES); do (cd "$$module" && $(GOTEST) -race -timeout 60m $(TESTFLAGS) ./...) || exit 1; done

.PHONY: e2e
e2e: setup-cluster toolchain ## Test the whole on a real cluster on this machine; results in dist/e2e (E2EFLAGS, such as -ginkgo.focus=Keys)
	@mkdir -p dist/e2e
	set -o pipefail; $(GOTEST) -v -tags e2e -count=1 -timeout 90m ./test/e2e -ginkgo.v -ginkgo.no-color \
		-ginkgo.junit-report='$(CURDIR)/dist/e2e/junit.xml' $(E2EFLAGS) 2>&1 | tee dist/e2e/log.txt

.PHONY: assets
assets: ## Fetch or build the kube-apiserver and etcd of the tests, once; print their folder
	@$(ASSETS)

.PHONY: fuzz
fuzz: ## Run every fuzzer FUZZTIME (5000x)
	@grep -rHo --include='*_test.go' '^func Fuzz[A-Za-z0-9_]*' . | sed 's/:func /:/' | sort | \
	while IFS=: read -r file fuzzer; do \
		echo "$$fuzzer ($${file%/*})"; \
		$(GO) test -run '^$$' -fuzz "^$$fuzzer$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x "$${file%/*}" </dev/null || exit 1; \
	done

.PHONY: hostile
hostile: ## Attack a real connector for an hour, and judge order and loss (HOSTILEFLAGS, see test/cmd/hostile)
	$(GO) run ./test/cmd/hostile $(HOSTILEFLAGS)

.PHONY: strangers
strangers: ## Let strangers attack a connector in 256 MiB, and print what signed calls get (STRANGERSFLAGS, such as -attack held)
	$(GO) run ./test/cmd/hostile strangers $(STRANGERSFLAGS)

.PHONY: bench
bench: ## Measure the connector against a bare net/http server (BENCHFLAGS, see test/cmd/bench)
	$(GO) run ./test/cmd/bench $(BENCHFLAGS)

.PHONY: bench-operator
bench-operator: build ## Measure the operator against a real API server (BENCHFLAGS, see test/cmd/benchoperator)
	KUBEBUILDER_ASSETS="$$($(ASSETS))" && export KUBEBUILDER_ASSETS && \
		$(GO) run ./test/cmd/benchoperator -operator '$(BIN)/operator' $(BENCHFLAGS)

.PHONY: lint
lint: ## Run the linters
	for module in $(MODULES); do $(GO) -C "$$module" tool -modfile='$(CURDIR)/tools/go.mod' golangci-lint run || exit 1; done

.PHONY: chart-verify
chart-verify: ## Check the Helm chart without a cluster, with every file of values in its ci/
	$(HELM_TOOL) helm-unittest --strict $(CHART)
	@schemas=$$(mktemp -d); trap 'rm -rf "$$schemas"' EXIT; \
	$(GO) run ./test/cmd/kubeschemas "$$schemas" && \
	for values in $(CHART)/values.yaml $(CHART)/ci/*.yaml; do \
		echo "$$values"; \
		$(HELM_TOOL) helm lint --strict --quiet --namespace chat --kube-version $(KUBERNETES) $(CHART) --values "$$values" && \
		$(HELM_TOOL) helm template channel-connector $(CHART) --namespace chat --kube-version $(KUBERNETES) --values "$$values" >"$$schemas/objects.yaml" && \
		$(HELM_TOOL) kubeconform -strict -summary -skip ServiceMonitor \
			-schema-location "$$schemas/{{.ResourceKind}}{{.KindSuffix}}.json" "$$schemas/objects.yaml" && \
		$(GO) tool -modfile=tools/kubescore/go.mod kube-score score $(KUBESCORE) "$$schemas/objects.yaml" || exit 1; \
	done

.PHONY: verify-generate
verify-generate: ## Fail when a generated file is not up to date, or not in git
	@git rev-parse --git-dir >/dev/null
	@start=$$(mktemp); trap 'rm -f "$$start"' EXIT; \
	before=$$(git diff) && $(MAKE) --no-print-directory generate && after=$$(git diff) || exit 1; \
	untracked=$$(git ls-files --others --exclude-standard -z | xargs -0 -r -I{} find {} -newer "$$start"); \
	if [ "$$before" != "$$after" ] || [ -n "$$untracked" ]; then \
		git --no-pager diff --stat; \
		echo "$$untracked"; \
		echo 'Generated files were not up to date, or are not in git: run "make generate" and commit the result.' >&2; \
		exit 1; \
	fi

.PHONY: verify-images
verify-images: images ## Fail when images made in another folder are not the same, byte for byte
	@again=$$(mktemp -d); trap 'rm -rf "$$again"' EXIT; \
	git ls-files -z | tar --null -T - -cf - | tar -C "$$again" -xf - && \
	$(MAKE) --no-print-directory -C "$$again" images PLATFORMS='$(PLATFORMS)' IMAGE='$(IMAGE)' \
		VERSION='$(VERSION)' REVISION='$(REVISION)' SOURCE_DATE_EPOCH='$(SOURCE_DATE_EPOCH)' && \
	for archive in "$$again"/dist/images/*.tar; do cmp "$$archive" "dist/images/$${archive##*/}" || exit 1; done

.PHONY: verify-modules
verify-modules: ## Fail when go.mod, go.sum or the tools' are not tidy
	@for file in $(wildcard $(MODULES:%=%/go.mod) tools/go.mod tools/*/go.mod localcluster/tools/*/go.mod); do \
		echo "$$file"; $(GO) -C "$${file%/*}" mod tidy -diff || exit 1; \
	done

##@ Change

.PHONY: generate
generate: ## Write the generated files again
	$(GO) generate ./...

.PHONY: fmt
fmt: ## Format the code
	for module in $(MODULES); do $(GO) -C "$$module" tool -modfile='$(CURDIR)/tools/go.mod' golangci-lint fmt || exit 1; done

.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
