# `make up` and `make test` are all that a newcomer needs; both build what they use. `make help` lists the rest.

CARGO ?= cargo
NPM ?= npm
# The tests' own chromium, where it is not at Debian's place: KANA_CHROMIUM=/path make test
export KANA_CHROMIUM

VERSION := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
UI_SOURCES := $(shell find ui/src ui/docs ui/scripts ui/public ui/index.html ui/*.json ui/*.ts -type f ! -name '*.gen.ts' 2>/dev/null)

.PHONY: up build test test-notebook test-neon test-gpu test-page check check-gpu help fmt openapi bench-engine bench-queue bench-serve bench-train torch-gradients soak simulate-scale attack fuzz \
	picture-corpus build-time image image-tar test-image test-chart test-monitoring e2e clean

up: build ## Build all and serve at http://127.0.0.1:8080
	target/release/kana up

build: ui/dist/index.html ## Leave target/release/kana, with page and model inside
	$(CARGO) build --release --locked --package kana

# Everything below the crate `kana` is tested as it ships, and compiles once for both. That crate by itself takes the
# compiler four times as long with optimisation, and is compiled three times for its tests; the page's tests, the image's
# and those on a cluster try it as it ships.
UNOPTIMISED := --config 'profile.release.package.kana.opt-level=0'

test: ui/dist/index.html ## Install what the tests need, and run them all
	tools/install-test-needs
	cd ui && $(NPM) test
	$(CARGO) test --release --locked $(UNOPTIMISED) --workspace --lib --test it --test conformance
	$(CARGO) test --release --locked $(UNOPTIMISED) --workspace --doc
	$(CARGO) run --release --locked --package kana-queue --example custom_queue --features conformance
	$(MAKE) test-page

test-page: build ## The page in a real Chromium; GREP='kills a pod' for some of its tests
	tools/test-page $(if $(GREP),-t '$(GREP)')

test-notebook: build ## docs/train.ipynb, executed, with what it asserts
	tools/test-notebook

test-neon: ## The engine's numbers on 64-bit Arm, emulated by qemu
	tools/test-neon

test-gpu: ## Training on a graphics processor, or on a processor that stands in for one, against training on a processor
	tools/test-gpu

check: ui/dist/index.html ## Format, lock files, lints, docs
	$(CARGO) fmt --check
	tools/fuzz --lock
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings -A rustdoc::private-intra-doc-links" $(CARGO) doc --locked --workspace --no-deps --document-private-items
	cd ui && $(NPM) run check

torch-gradients: ## Compute anew, by PyTorch, what the trainer's tests expect of two steps
	tools/torch-gradients/main

check-gpu: ## Lints of what the feature gpu adds, which takes twice as many crates
	$(CARGO) clippy --locked --package kana-train --features gpu --all-targets -- -D warnings

bench-queue: ## Jobs a second through each queue; the last line is one JSON object
	$(CARGO) bench --locked --package kana --bench queue

bench-engine: build ## What an image costs kana, ONNX Runtime, tract, rten and candle; the last line is one JSON object
	tools/bench-engine/main

bench-serve: build ## What a request costs kana, FastAPI, LitServe and MLServer; FLAGS='--only kana-up,fastapi', or --idle
	tools/bench-serve/main $(FLAGS)

bench-train: build ## What a step of training costs kana and PyTorch, in one run; the last line is one JSON object
	tools/bench-train/main

soak: ## 100,000 jobs in Redis while workers are killed and connections reset, and a receipt
	$(CARGO) bench --locked --package kana --bench soak

simulate-scale: ## What limits at which size: check the model, then the table of docs/scale.md
	tools/simulate-scale --check
	tools/simulate-scale

attack: build ## Hostile clients beside honest ones, and what they cost: the table of docs/security.md
	tools/attack

fuzz: ## Hostile files for each decoder, 60 s together; FUZZ_SECONDS=600, or RUNS=10000000 a format
	tools/install-test-needs
	$(CARGO) fmt --check --manifest-path fuzz/Cargo.toml
	$(CARGO) clippy --locked --manifest-path fuzz/Cargo.toml --target-dir target/fuzz/lint --all-targets -- -D warnings
	tools/fuzz

picture-corpus: ## Thousands of files by other programs, whole and damaged: does kana say what they say?
	tools/picture-corpus

help: ## List the targets
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' Makefile | expand -t 16

build-time: ## What a build from nothing costs, crate by crate
	tools/build-time

fmt: ## Format everything
	$(CARGO) fmt
	cd ui && $(NPM) run format

openapi: ## Write ui/openapi.json anew from the routes
	KANA_UPDATE=1 $(CARGO) test --release --locked --package kana --test it openapi

image: ## The container image, by docker build
	docker build --tag kana:$(VERSION) .

image-tar: ui/dist/index.html ## The same image without a container engine: dist/kana-image.tar
	tools/image-tar

test-image: image-tar ## Run that image's program from its own root
	tools/test-image

test-chart: ## Lint, render and check charts/kana; needs Helm and Go
	tools/test-chart

test-monitoring: build ## A real Prometheus watches a service: each panel has data, each alert fires by its fault; needs Helm
	tools/install-prometheus
	tools/test-monitoring

e2e: ## Install the chart on the cluster of KUBECONFIG and try to lose an image; E2E='two_pods drained' for some of it
	python3 tests/e2e $(E2E)

ui/node_modules/.package-lock.json: ui/package-lock.json
	cd ui && $(NPM) ci --no-audit --no-fund
	@touch $@

ui/dist/index.html: ui/node_modules/.package-lock.json $(UI_SOURCES)
	cd ui && $(NPM) run build

clean: ## Forget all that was built
	rm -rf target dist ui/dist ui/node_modules
