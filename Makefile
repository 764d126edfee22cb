# `make` alone prints this list.
.DEFAULT_GOAL := help
SHELL := /bin/bash
TOOL := go tool -modfile=.ci/tools.mod
DATA ?= data
ADDR ?= 127.0.0.1:8080

.PHONY: help
help: ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/cutpoint
	go build -o bin/cutpoint ./cmd/cutpoint

.PHONY: run
run: build ## Run the shop with a demonstration catalogue; prints an order to paste
	bin/cutpoint serve --demo --data $(DATA) --addr $(ADDR)

.PHONY: test
test: ## Run every test; some packages wait more than they work, so there are more at a time than processors
	go test -p 3 ./...

POSTGRES_TESTS ?= ./platform/store/... ./platform/auth ./modules/...
.PHONY: test-postgres
test-postgres: ## Run the tests of all that stores something, and the stories, on a PostgreSQL server of their own
	go run ./platform/store/storetest/withpostgres sh -c \
	  'go test $(POSTGRES_TESTS) && go test -run TestStories ./cmd/cutpoint -args -deployment replicas'

.PHONY: race
race: ## Run the tests under the race detector, but for those that start other programs, and what runs in virtual time anyway
	go test -race -p 3 $$(go list ./... | grep -v -e /fences -e cmd/extract -e /fleet -e /compat -e /crash -e /survey -e /sim$$ -e cmd/cutpoint)

.PHONY: lint
lint: ## Run the linters
	gofmt -l . | tee /dev/stderr | (! read)
	go vet ./... && go vet -tags failpoints ./cmd/cutpoint
	$(TOOL) golangci-lint run ./...

.PHONY: fences
fences: ## Check the boundaries: the linter's rules, our own, and that each violation is seen
	$(TOOL) go-arch-lint check --arch-file arch-lint.yml
	go test ./cmd/internal/fences

.PHONY: check
check: lint fences race test ## Do all that CI does

.PHONY: golden
golden: ## Write down what is new in the contracts; a break is refused
	go test -run 'TestContract$$' $(patsubst %/wire.go,./%,$(wildcard modules/*/wire.go)) -update

.PHONY: compat
compat: ## Compare the contracts with those of the last release, in Go, on the wire and live
	go test -v -run 'TestCompat$$' -timeout 20m ./cmd/internal/compat -args -compat

.PHONY: edges
edges: ## Print the calls an order makes on each edge between modules
	go test -v -run TestCallsPerOrder ./cmd/internal/shop

.PHONY: sim
sim: SEEDS ?= 500
sim: FIRST ?= 1
sim: ## Simulate the shop on SEEDS bad days, or on the day of one SEED, with its history
	go test -run 'TestSimulation$$' -timeout 60m ./cmd/internal/sim $(if $(SEED),-v -args -seed $(SEED),-args -seeds $(SEEDS) -first $(FIRST))
	$(if $(SEED),,go test -run 'TestSimulation$$' -timeout 60m ./cmd/internal/shop -args -seeds 20)

.PHONY: mutants
mutants: ## Take out one guard after the other, and see the simulation turn red
	go test -v -run TestMutants -timeout 60m ./cmd/internal/mutants -args -mutants

.PHONY: crash
crash: KILLS ?= 200
crash: ## Kill the real process at every point of nine scenarios, and KILLS times under load
	go test -v -timeout 60m ./cmd/internal/crash -args -full -kills $(KILLS)

.PHONY: deployments
deployments: ROUNDS ?= 5
deployments: ## Tell every story in every deployment, and inflict faults on one, ROUNDS times
	go test -v -run TestStories -timeout 60m ./cmd/cutpoint -args -deployment all
	go test -v -timeout 60m ./cmd/internal/fleet -args -rounds $(ROUNDS)

.PHONY: fuzz
fuzz: FUZZTIME ?= 1m
fuzz: ## Fuzz every target, FUZZTIME each
	@for f in $$(grep -rl '^func Fuzz' --include='*_test.go' cmd modules platform); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z]*\).*/\1/p' $$f); do \
	    echo "== $$target"; go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) ./$$(dirname $$f) || exit 1; \
	  done; done

.PHONY: extract
extract: ## Write a MODULE out to a directory OUT, as a Go module of its own; MODULE_PATH, FORCE=1
	@go run ./cmd/extract $(if $(MODULE_PATH),-module-path $(MODULE_PATH)) $(if $(FORCE),-force) $(MODULE) $(OUT)

.PHONY: detach
detach: ## Take the body of a MODULE that lives elsewhere out of this repository; FORCE=1
	@go run ./cmd/extract -detach $(if $(FORCE),-force) $(MODULE)

.PHONY: extract-all
extract-all: ## Write each module out, run all of its tests there, and a shop around it, with its body and without
	go test -v -run TestExtract -timeout 60m ./cmd/extract -args -all

.PHONY: load
load: build ## Measure orders a second at 1, 8 and 64 customers
	bin/cutpoint load

.PHONY: bench
bench: ## Run the benchmarks
	go test -run '^$$' -bench . -benchmem ./platform/... ./modules/...

.PHONY: tax
tax: ## Compare orders a second on the channel layer with modules that call each other plainly
	go test -v -run '^$$' -bench Tax -benchtime 120x ./cmd/internal/shop

.PHONY: probe
probe: ## Compare orders a second with the same commits made by SQL alone
	go test -v -run '^$$' -bench Probe -benchtime 8x ./cmd/internal/shop

.PHONY: bench-deployments
bench-deployments: ROUNDS ?= 5
bench-deployments: TURN ?= 2500ms
bench-deployments: ONLY ?=
bench-deployments: ## Compare orders a second of one process with those of several, and SQLite with PostgreSQL
	go test -v -run '^$$' -bench Deployments -benchtime $(ROUNDS)x -timeout 60m ./cmd/internal/deployments -args -turn $(TURN) -only '$(ONLY)'

.PHONY: hot
hot: ## Compare orders a second for one SKU that sells out with those for 1,000 SKUs
	go test -v -run '^$$' -bench Hot -benchtime 3x -timeout 30m ./cmd/internal/shop

.PHONY: bench-million
bench-million: STORED ?= 1000000
bench-million: ## Compare a shop that holds STORED orders with one that holds none; takes about 12 kB of disk an order
	go test -v -run '^$$' -bench Million -benchtime 12x -timeout 60m ./cmd/internal/shop -args -stored $(STORED)

.PHONY: headofline
headofline: ## Compare quotes and stock queries while payments refuses with those of an idle shop
	go test -v -run '^$$' -bench HeadOfLine -benchtime 12x ./cmd/internal/shop

.PHONY: bench-import
bench-import: ## Compare how long orders take while a file is imported with how long they take otherwise
	go test -v -run '^$$' -bench Import -benchtime 8x ./cmd/internal/shop

.PHONY: bench-calls
bench-calls: ## Measure a call between modules beside Go channels and Watermill
	cd .ci/bench && go test -run '^$$' -bench . -benchmem

.PHONY: bench-nats
bench-nats: ## Measure a call over NATS beside a bare request and a call in process
	go test -v -run '^$$' -bench Call -benchtime 20x ./platform/channel/natslayer
