# make demo: from a fresh clone to a spoken conversation.   make test: lint, types and all tests.

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
OLD_CLIENT := .clients/openai-2.6.1
AGENTS := .clients/openai-agents
# Clients too large for the tests' own environment; each has one of its own, named as its folder in examples/.
FRAMEWORKS := livekit pipecat
NODE_CLIENTS := tests/conformance/node
# SGLang wants other versions than the rest: what is tested with it has an environment of its own.
SGLANG := .venv-sglang
SGLANG_STAMP := $(SGLANG)/.installed
SGLANG_PIP := $(SGLANG)/bin/python -m pip install --disable-pip-version-check -q
CPU_TORCH := https://download.pytorch.org/whl/cpu

# The first of these that is new enough; set PYTHON to choose another.
PYTHON ?= $(firstword $(foreach each,python3 python3.11 python3.12 python3.13 python3.14,\
	$(shell $(each) -c 'import sys; sys.version_info >= (3, 11) and print("$(each)")' 2>/dev/null)))
PIP := $(BIN)/python -m pip install --disable-pip-version-check -q -c constraints.txt

# What `make demo` serves: nano, echo, a folder or a hub id. Empty takes the best there is on this machine.
MODEL ?=

.PHONY: help demo test test-sglang test-ray fuzz soak audit examples conformance lint format install clean

help:
	@echo 'make demo     install, start a server on the best model there is here, and speak with it'
	@echo 'make test     lint, types and all tests'
	@echo 'make test-sglang  what needs SGLang, for real, on the CPU; installs it into $(SGLANG)'
	@echo 'make examples install LiveKit Agents and Pipecat too, and run every example'
	@echo 'make conformance  stock clients hold conversations; writes tests/conformance/MATRIX.md'
	@echo 'make test-ray engines on several nodes of a Ray cluster, one of them lost in an answer'
	@echo 'make fuzz     for hours: a million events, random requests, random files'
	@echo 'make soak     an hour of 100 sessions (MODEL=…, echo by itself): does it leak?'
	@echo 'make audit    known vulnerabilities of what is installed, where the database can be asked'
	@echo 'make lint     ruff and mypy alone'
	@echo 'make format   let ruff put the code in order'
	@echo 'make install  the local environment in $(VENV) alone'
	@echo 'make clean    remove what the others made'

demo: $(STAMP)
	@$(BIN)/python examples/demo.py $(if $(MODEL),--model '$(MODEL)')

test: lint
	$(BIN)/python -m pytest -rs

examples: $(STAMP) $(FRAMEWORKS:%=.clients/%/.installed)
	$(BIN)/python -m pytest -rs tests/examples

.clients/%/.installed: examples/%/requirements.txt | $(STAMP)
	@echo 'installing what examples/$* needs into .clients/$* (once)'
	@$(BIN)/python -m venv $(@D)
	@$(@D)/bin/python -m pip install --disable-pip-version-check -q -r $<
	@touch $@

# For hours, each of the fuzzers that `make test` runs for a moment.
fuzz: $(STAMP)
	$(BIN)/python tests/fuzz/fuzz_session.py
	CHROMA_REALTIME_FUZZ_EXAMPLES=500 $(BIN)/python -m pytest tests/server/test_openapi.py --timeout=7200
	@if $(BIN)/python -c 'import atheris' 2>/dev/null; then \
		for target in sound events dialect wire calls chat secret; do \
			$(BIN)/python tests/fuzz/fuzz_decoders.py $$target -max_total_time=600 || exit 1; done; \
	else echo 'no atheris here: the decoders were not fuzzed'; fi

# An hour of 100 sessions; memory and descriptors have to stay flat. MODEL chooses what is served.
soak: $(STAMP)
	$(BIN)/python -m benchmarks.soak --model '$(or $(MODEL),echo)'

# Not part of `make test`: it asks a database on the network.
audit: $(STAMP)
	@$(PIP) pip-audit || echo 'pip-audit cannot be had here'
	@$(BIN)/python .ci/audit.py

# What a CPU cannot import of SGLang's packages is stood in for, for these tests alone.
test-sglang: export PYTHONPATH := $(CURDIR):$(CURDIR)/tests/sglang/standins
test-sglang: $(SGLANG_STAMP)
	$(SGLANG)/bin/python -m engine.chroma.parity tests/data/golden --reasoner sglang
	$(SGLANG)/bin/python -m pytest tests/sglang -o timeout=600

# Not part of `make test`: Ray is large, and its nodes take their time.
test-ray: $(STAMP)
	@$(PIP) 'ray>=2.40'
	$(BIN)/python -m pytest -rs tests/cluster/ray_cluster.py
	$(BIN)/python -m pytest -rs tests/cluster/ray_autoscaler.py

conformance: $(STAMP)
	@cd $(NODE_CLIENTS) && npm ci --no-audit --no-fund --silent
	$(BIN)/python tests/conformance/run.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed: install it, or say where it is: make PYTHON=/path/to/python3.11'; exit 1; }
	@echo 'installing into $(VENV) (once; the first time takes a few minutes)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@# Without an NVIDIA GPU the CPU build will do, which is far smaller; where it cannot be had, PyPI's.
	@if [ "$$(uname)" = Linux ] && ! command -v nvidia-smi >/dev/null && ! $(BIN)/python -c 'import torch' 2>/dev/null; then \
		$(PIP) --retries 1 --no-deps --index-url $(CPU_TORCH) torch || echo 'no CPU build there; taking the one on PyPI'; \
	fi
	@$(PIP) torch
	@$(PIP) -e '.[dev]'
	@# The oldest client that the tests hold a conversation with; it needs two packages beside itself.
	@$(BIN)/python -m pip install --disable-pip-version-check -q --upgrade --target $(OLD_CLIENT) --no-deps \
		openai==2.6.1 distro==1.9.0 sniffio==1.3.1
	@# The end-of-turn model comes as a file in this package, of which nothing else is used.
	@$(PIP) --no-deps pipecat-ai==1.14.0
	@$(BIN)/python -m pip install --disable-pip-version-check -q --upgrade --target $(AGENTS) openai-agents==0.24.0
	@# Clients that need Node are tested where there is Node.
	@if command -v npm >/dev/null; then cd $(NODE_CLIENTS) && npm ci --no-audit --no-fund --silent || echo 'no Node clients: their tests are skipped'; fi
	@touch $@

$(SGLANG_STAMP): pyproject.toml tests/sglang/requirements.txt
	@test -n '$(PYTHON)' || { echo 'Python 3.11 or newer is needed'; exit 1; }
	@echo 'installing SGLang into $(SGLANG) (once; it takes a few minutes)'
	@test -x $(SGLANG)/bin/python || $(PYTHON) -m venv $(SGLANG)
	@$(SGLANG_PIP) --retries 1 --no-deps --index-url $(CPU_TORCH) torch==2.13.0 || $(SGLANG_PIP) torch==2.13.0
	@$(SGLANG_PIP) torch==2.13.0 -r tests/sglang/requirements.txt
	@$(SGLANG_PIP) --no-deps sglang==0.5.20 -e .
	@touch $@

clean:
	rm -rf $(VENV) $(SGLANG) .clients $(NODE_CLIENTS)/node_modules build answer.wav *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
