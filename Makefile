# The two commands of the README, and what they stand on.
#   make up     builds Windlass, starts a cluster, runs the example application on it, keeps it running
#   make test   builds and runs all tests

SHELL := /bin/bash
CARGO ?= cargo

.PHONY: up test build lint bench prerequisites

up: build
	examples/up.sh

test: prerequisites
	$(CARGO) test --workspace

build: prerequisites
	$(CARGO) build --release --package windlass

lint: prerequisites
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) clippy --package windlass-examples --examples -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --lib

bench: prerequisites
	$(CARGO) bench --package windlass-benches

prerequisites:
	@examples/prerequisites.sh
