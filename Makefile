PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
COMPILED := $(VENV)/.compiled
DEVELOPER := $(VENV)/.installed-for-developers

# pip leaves out the bytecode, because most modules are never imported. The first import of a module writes it.
PIP_INSTALL := $(BIN)/python -m pip install --quiet --no-compile -c constraints.txt
export PYTHONDONTWRITEBYTECODE =

.DEFAULT_GOAL := help
.PHONY: help setup demo bench test unit soak kafka lint format docs sbom clean

help: ## List the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(INSTALLED) ## Build .venv with the locked dependencies and every extra, and compile the numeric code
	@$(MAKE) --no-print-directory -j 2 $(COMPILED) $(DEVELOPER)

$(INSTALLED): pyproject.toml setup.py constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12") if sys.version_info < (3, 11) else None'
	@echo "1/3 Making $(VENV) with the service: 2.7 GB at the end, most of it PyTorch. All three steps take about 3 minutes."
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) -e '.[embedded,text]'
	@touch $@

$(COMPILED): $(INSTALLED)
	@echo "2/3 Compiling the numeric code, about a minute."
	$(BIN)/python -c 'from consumers.terminal import compiling, log; compiling.compile_first(log.console())'
	@touch $@

$(DEVELOPER): $(INSTALLED)
	@echo "3/3 Installing what evaluate and developers need, beside the compiling."
	$(PIP_INSTALL) -e '.[embedded,text,evaluate,dev]'
	@touch $@

demo: $(COMPILED) ## Stream three simulated domains end to end and show what transfer brings
	$(BIN)/crosscurrent demo

bench: setup ## Measure speed, freshness and memory on this machine, on Apache Kafka where there is one (a quarter of an hour; figures in bench.json)
	$(BIN)/python -m tests.bench.on_apache_kafka --json bench.json

test: setup ## Run every test (unit, laws, integration), three files at a time
	$(BIN)/python -m pytest -n 3 --dist loadfile

unit: setup ## Run the unit tests only (no sockets)
	$(BIN)/python -m pytest -n 3 --dist loadfile tests/unit

soak: setup ## Long tests: fifty kills, ten times more users than rows, a million hostile payloads, ten minutes of troubles, three brokers that fail (many minutes)
	$(PIP_INSTALL) -e '.[fuzz]'
	$(BIN)/python -m pytest -m soak -s tests/soak tests/integration

kafka: ## Say which Apache Kafka the tests run on, and how to get one
	@if ls $(CROSSCURRENT_KAFKA_LIBS)/kafka-server-*.jar >/dev/null 2>&1; then \
	  echo "The tests run on the embedded broker and on $$(ls $(CROSSCURRENT_KAFKA_LIBS)/kafka-clients-*.jar)"; \
	else \
	  echo "CROSSCURRENT_KAFKA_LIBS names no folder with the jars of Apache Kafka: tests that need it are skipped."; \
	  echo "Download and unpack a binary release, 4.0 or later, from https://kafka.apache.org/downloads, then"; \
	  echo "  export CROSSCURRENT_KAFKA_LIBS=/path/to/kafka_2.13-4.x.y/libs"; \
	  echo "Java 17 or later must be on PATH: apt-get install openjdk-17-jre-headless"; \
	fi

lint: setup ## ruff, mypy --strict and the layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: setup ## Format the code and fix what ruff can fix
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: setup ## Build the documentation into build/site, with strict links
	$(PIP_INSTALL) -e '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict -f deploy/mkdocs.yml

sbom: setup ## Write build/sbom.cdx.json: every package with version, licence and who gets it
	$(BIN)/python -m deploy.sbom

clean: ## Remove .venv and caches
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
