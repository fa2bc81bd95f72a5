# `make demo` and `make test` set up all that they need, on a machine with nothing but Python and make.
# `make help` lists the rest. Another interpreter: `make test PYTHON=python3.13`, each has its own environment in .venv.

PYTHON ?= python3
VERSIONS ?= 3.10 3.11 3.12 3.13 3.14 3.15
PYTEST_ARGS ?=
STDLIB_ARGS ?=
TARGETS ?=
FAST ?=

ask = $(shell $(PYTHON) -c 'import sys; i = sys.implementation.name; print((i if i != "cpython" else "") + "%d.%d" % sys.version_info[:2] + getattr(sys, "abiflags", ""))' 2>/dev/null)
TAG := $(ask)
ifeq ($(TAG)$(filter help clean,$(or $(MAKECMDGOALS),help)),)
$(info $(shell PYTHON='$(PYTHON)' sh tools/setup-machine.sh 2>&1))
TAG := $(ask)
ifeq ($(TAG),)
$(error PYTHON=$(PYTHON) does not run here)
endif
endif

VENV := .venv/$(TAG)
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --quiet --disable-pip-version-check
SOURCES := $(shell find src/*/ build_ffi.py setup.py pyproject.toml README.md -not -path '*/__pycache__*' -not -path '*.egg-info*' -not -name '*.so' 2>/dev/null)
NOGIL := $(or $(TLSKIT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/tlskit)/nogil
SANITIZERS := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
ENVIRONMENT := $(OPENSSL_DIR) $(OPENSSL_STATIC) $(PKG_CONFIG) $(CC) $(CFLAGS) $(LDFLAGS) $(TLSKIT_CFLAGS)

.DEFAULT_GOAL := help
.PHONY: help setup demo test conformance test-all test-stdlib lint types docs bench bench-quick leak hostile valgrind sanitize sanitize-python sanitize-threads fuzz stub \
	wheel wheel-test sdist-test lint-workflows coverage test-windows test-musl test-aarch64 test-nogil test-sid test-pypy test-valkey compile-macos \
	downstream watch-openssl clean FORCE
.DELETE_ON_ERROR:

help: ## this list
	@sed -n 's/^\([a-z -]*\):.*## /\1@/p' $(MAKEFILE_LIST) | awk -F@ '{ printf "  %-24s %s\n", $$1, $$2 }'

setup: $(VENV)/.built ## the environment in .venv, with tlskit built and installed in it

demo: $(VENV)/.built ## the main job: sessions resumed, against a server of its own
	@$(BIN)/tlskit demo

test: $(VENV)/.built $(VENV)/.interop ## the tests (FAST=1: without the slow ones; PYTEST_ARGS=...)
	@$(BIN)/python -m pytest -o cache_dir=$(VENV)/.pytest_cache $(if $(FAST),-m 'not slow') $(PYTEST_ARGS)

conformance: $(VENV)/.built ## sslyze and tlslite-ng against a server and a client of tlskit's
	@$(PIP) install --prefer-binary --group conformance
	@$(BIN)/python -m pytest -m conformance tests/interop $(PYTEST_ARGS)

test-all: ## the tests on every Python of VERSIONS that is here
	@MAKE='$(MAKE)' sh tools/test-all.sh $(VERSIONS)

test-stdlib: $(VENV)/.built ## Python's own tests with tlskit in place of ssl (STDLIB_ARGS=...)
	@PYTHON='$(PYTHON)' sh tools/setup-machine.sh testsuite
	@$(BIN)/python tools/stdlib_tests.py --jobs 10 $(STDLIB_ARGS)

lint: $(VENV)/.lint ## ruff, and phrases that are not usual English
	@$(BIN)/ruff check .
	@$(BIN)/python tools/prose.py

lint-workflows: $(VENV)/.workflows ## jactionlint (a successor of actionlint) and zizmor
	@$(BIN)/jactionlint
	@$(BIN)/zizmor --offline --quiet .github

types: $(VENV)/.built $(VENV)/.lint ## mypy, strict, and pyright: the library, and a program that uses it
	@$(BIN)/mypy
	@$(BIN)/python tools/typecheck.py

docs: $(VENV)/.built $(VENV)/.docs ## the documentation's site, in build/docs
	@$(BIN)/python -m sphinx -q -W --keep-going -b html docs build/docs
	@echo "the site is in build/docs/index.html"

# Where there is no wheel or no free-threaded Python, their columns are left out.
bench: $(VENV)/.built $(VENV)/.bench ## the benchmarks, in half an hour: writes the tables and the chart of README and docs
	@$(MAKE) --no-print-directory wheel TARGETS=manylinux-$$(uname -m) || echo "the wheel is left out"
	@test ! -e $(NOGIL)/ready || PYTHON=$(BIN)/python tools/platforms/nogil-venv.sh >/dev/null
	@$(BIN)/python -m bench.everything $(VENV)/bench $$(PYTHON=$(BIN)/python sh tools/wheels/install.sh $(VENV)-wheel) \
	    $$(test ! -e $(NOGIL)/wheels/ready || echo --free $(NOGIL)/venv/bin/python) $(BENCH_ARGS)

bench-quick: $(VENV)/.built ## the benchmarks, in seconds
	@$(BIN)/python -m bench --quick
	@$(BIN)/python -m bench.eventloops --quick
	@$(BIN)/python -m bench.resumption --quick

leak: $(VENV)/.built ## memory over 20000 connections, 50000 that resume, 50000 of asyncio, 1000 reloads
	@$(BIN)/python tools/leak.py 20000
	@$(BIN)/python tools/leak.py 50000 --resume memory
	@$(BIN)/python tools/leak.py 50000 --aio
	@$(BIN)/python tools/leak.py 50000 --reload 1000

hostile: $(VENV)/.built ## 10000 hostile peers against an asyncio server
	@$(BIN)/python tools/hostile.py 10000

valgrind: $(VENV)/.tools ## the C helpers under valgrind
	@PYTHON='$(PYTHON)' sh tools/setup-machine.sh valgrind
	@$(BIN)/python -m tests.bind.c.program --valgrind

sanitize: $(VENV)/.tools ## the C helpers with gcc's sanitizers
	@$(BIN)/python -m tests.bind.c.program --sanitize address
	@$(BIN)/python -m tests.bind.c.program --sanitize thread

sanitize-python: ## the Python tests of core, sessions, threads and tickets, over an extension with sanitizers
	@$(MAKE) --no-print-directory setup VENV=$(VENV)-sanitize TLSKIT_CFLAGS='$(SANITIZERS) -O1 -g' LDFLAGS='$(SANITIZERS)'
	@LD_PRELOAD="$$(cc -print-file-name=libasan.so) $$(cc -print-file-name=libubsan.so)" \
	    ASAN_OPTIONS=detect_leaks=0 UBSAN_OPTIONS=print_stacktrace=1 PYTHONMALLOC=malloc \
	    $(VENV)-sanitize/bin/python -m pytest -p no:cacheprovider -m 'not slow' \
	    $(or $(PYTEST_ARGS),tests/core tests/sessions tests/threads tests/tickets)

sanitize-threads: ## the tests of threads, over an extension with gcc's ThreadSanitizer
	@$(MAKE) --no-print-directory setup VENV=$(VENV)-threads TLSKIT_CFLAGS='-fsanitize=thread -O1 -g' LDFLAGS=-fsanitize=thread
	@sh tools/tsan.sh $(VENV)-threads/bin/python $(or $(PYTEST_ARGS),tests/threads tests/tickets/test_threads.py)

fuzz: $(VENV)/.built ## what reads bytes of others, for SECONDS each (60), in C and in Python
	@PYTHON='$(PYTHON)' sh tools/setup-machine.sh fuzzer
	@$(PIP) install --only-binary :all: --group fuzz || echo "the targets in Python are left out: there is no wheel of atheris"
	@$(BIN)/python -m tests.fuzz --seconds $(or $(SECONDS),60)

stub: $(VENV)/.tools ## rewrite src/_tlsbind/_native.pyi after a change of tk_api*.h
	@$(BIN)/python tools/stub.py

wheel: $(VENV)/.wheel ## wheels for Linux in dist/, with OpenSSL inside (TARGETS=manylinux-aarch64 ..., or FREE_PYTHON=python3.14t)
	@PYTHON=$(BIN)/python FREE_PYTHON='$(FREE_PYTHON)' tools/wheels/build.sh $(TARGETS)

wheel-test: ## the tests against that wheel, on every Python of VERSIONS that is here and on the system's, in empty environments
	@VERSIONS='$(VERSIONS)$(if $(filter file,$(origin VERSIONS)), system)' PYTEST_ARGS="$(PYTEST_ARGS)" bash tools/wheels/test.sh

sdist-test: $(VENV)/.tools ## an sdist in dist/, built and installed in an empty environment
	@$(BIN)/python tools/sdist_test.py

test-windows test-musl test-aarch64: $(VENV)/.tools ## core tests for Windows under wine; for musl; for aarch64 under qemu (PYTEST_ARGS=...)
	@PYTHON=$(BIN)/python tools/platforms/$(@:test-%=%).sh $(PYTEST_ARGS)

test-musl: $(VENV)/.wheel # its wheel is made first

compile-macos: $(VENV)/.wheel ## compile for macOS, arm64 and x86-64, by ziglang: nothing is linked or run
	@PYTHON=$(BIN)/python tools/platforms/macos.sh

test-pypy: ## ... in PyPy 3.11, of Debian sid, as root
	@PYTHONS=pypy3 tools/platforms/sid.sh $(PYTEST_ARGS)

test-nogil test-sid: $(VENV)/.built ## ... in a free-threaded CPython (WHEEL=dist/...); in Debian sid: 3.14, 3.15, PyPy
	@PYTHON=$(BIN)/python tools/platforms/$(@:test-%=%).sh $(PYTEST_ARGS)

test-valkey: $(VENV)/.built $(VENV)/.interop ## the tests of Redis's kinds, with Valkey from Debian sid as well
	@PATH="$$(tools/platforms/valkey.sh):$$PATH" $(BIN)/python -m pytest -q -p no:cacheprovider $(or $(PYTEST_ARGS),tests/interop/test_redis_kinds.py)

coverage: $(VENV)/.tools ## which lines of tlskit the tests run: a table, and pages in build/coverage (PYTEST_ARGS=..., SUMMARY=FILE)
	@$(PIP) install --group coverage && $(MAKE) --no-print-directory setup && mkdir -p build
	@$(BIN)/coverage run -m pytest -q -p no:cacheprovider -m 'not slow and not conformance' $(or $(PYTEST_ARGS),tests); status=$$?; \
	    $(BIN)/coverage combine --quiet && $(BIN)/coverage html --quiet && $(BIN)/coverage report && \
	    $(if $(SUMMARY),$(BIN)/coverage report --format=markdown >>'$(SUMMARY)' &&) exit $$status

downstream: $(VENV)/.built ## another project's tests with tlskit in place of ssl (PROJECT=urllib3)
	@$(BIN)/python tools/downstream.py $(PROJECT)

watch-openssl: ## pin newer OpenSSL releases in tools/sources.txt
	@$(PYTHON) tools/watch_openssl.py --write; status=$$?; git --no-pager diff tools/sources.txt; exit $$status

clean: ## remove all that this file made
	@rm -rf .venv build dist __pycache__ src/*.egg-info .mypy_cache .pytest_cache .ruff_cache
	@find src tests bench tools -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

# ---- how it is set up: a stamp for each step, so that what is done is not done again ----

$(VENV)/.tools: pyproject.toml tools/setup-machine.sh
	@PYTHON='$(PYTHON)' sh tools/setup-machine.sh
	@test -x $(BIN)/python || { echo "setting up $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@$(PIP) install --upgrade 'pip>=25.1'
	@$(PIP) install --group test
	@touch $@

# The libraries and servers that tlskit is tried with: where they are not to be had, their tests are skipped and say why.
$(VENV)/.interop: $(VENV)/.tools pyproject.toml
	@PYTHON='$(PYTHON)' sh tools/setup-machine.sh servers
	@$(PIP) install --prefer-binary --group interop
	@$(PIP) install --only-binary :all: --group interop-compiled || echo "tests of aiofastnet, aiohttp, asyncpg and uvloop are left out: no wheels"
	@$(PIP) install --only-binary :all: --group interop-green || echo "tests of gevent and eventlet are left out: no wheels"
	@touch $@

$(VENV)/.bench: $(VENV)/.tools pyproject.toml
	@$(PIP) install --only-binary :all: --group bench || echo "other libraries are left out: no wheels"
	@touch $@

$(VENV)/.wheel: $(VENV)/.tools pyproject.toml
	@$(PIP) install --group wheel
	@touch $@

$(VENV)/.docs: $(VENV)/.tools pyproject.toml
	@$(PIP) install --group docs
	@touch $@

$(VENV)/.lint: $(VENV)/.tools pyproject.toml
	@$(PIP) install --group lint
	@touch $@

$(VENV)/.workflows: $(VENV)/.tools pyproject.toml
	@$(PIP) install --only-binary :all: --group workflows
	@touch $@

# Built beside the environment, not in the tree: two Pythons do not meet, and what was removed from src does not linger.
$(VENV)/.built: $(VENV)/.tools $(VENV)/.environment $(SOURCES)
	@echo "building tlskit for Python $(TAG)"
	@rm -rf $(VENV)/build/lib*/tlskit
	@printf '[build]\nbuild_base = %s/build\n[egg_info]\negg_base = %s/build\n' '$(VENV)' '$(VENV)' > $(VENV)/build.cfg
	@mkdir -p $(VENV)/build
	@DIST_EXTRA_CONFIG=$(CURDIR)/$(VENV)/build.cfg $(PIP) install --no-build-isolation '.[cli]'
	@touch $@

# Another compiler or another OpenSSL: all is compiled again.
$(VENV)/.environment: $(VENV)/.tools FORCE
	@echo '$(ENVIRONMENT)' | cmp -s - $@ || { rm -rf $(VENV)/build; echo '$(ENVIRONMENT)' > $@; }
