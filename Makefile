# `make help` lists the targets. Everything works with plain cargo too; what this adds is the system
# packages (dev/install), the databases of the tests and one set of features for every build.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help build demo test test-openstack test-differential test-takeover lint packages-build packages-test packages-openstack

CARGO ?= cargo
export CARGO_TARGET_DIR ?= $(CURDIR)/target
# Always the whole workspace: with `-p` cargo would choose other features and compile much of it twice.
BUILD := $(CARGO) build --locked --workspace

# HiGHS is a third of a build from nothing; a compiler cache, where there is one, keeps it.
ifneq ($(shell command -v ccache 2>/dev/null),)
export CMAKE_C_COMPILER_LAUNCHER ?= ccache
export CMAKE_CXX_COMPILER_LAUNCHER ?= ccache
export CCACHE_BASEDIR ?= $(patsubst %/,%,$(dir $(CARGO_TARGET_DIR)))
endif

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: packages-build ## Build everything (development profile)
	@echo "Building Berth. From nothing this takes some minutes, most of them for the HiGHS solver."
	$(BUILD)

demo: build ## Build, start Berth with a sample fleet and show what it does (DEMO_EXIT=1: stop at the end)
	@dev/demo/run

test: packages-build packages-test ## Run all tests, on SQLite, PostgreSQL, MariaDB and RabbitMQ (BERTH_LIVES=50000: more lives before receivers)
	dev/with-databases $(CARGO) test --workspace --locked

test-openstack: packages-openstack build ## Run the story of leases on a real OpenStack with unmodified clients, and a short comparison with Blazar
	BERTH_SEQUENCES=24 BERTH_ROUNDS=1 dev/openstack/test story differential

test-differential: packages-openstack build ## Compare with upstream Blazar on a real OpenStack: 300 sequences of requests, leases of every type
	dev/openstack/test differential

test-takeover: packages-openstack build ## Take fifty leases of upstream Blazar over on a real OpenStack while servers run (half an hour)
	dev/openstack/test takeover

lint: packages-build ## Check formatting and clippy
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

packages-build:
	@dev/install build

packages-test:
	@dev/install build test

packages-openstack:
	@dev/install build openstack
