# Two commands matter: `make reproduce` and `make test`. Both set up .venv from requirements.lock first.
PYTHON ?= python3
CORES ?= all
BIN := .venv/bin
STAMP := .venv/.installed
# A fold of the demo, if it has been made.
DEMO := results/demo/tiny-qwen3/raft/kfold/fold-0
# Where there is none, a small one is made while the page is open: a fold's model, which answers from then on, and then what the page shows of a run
# (no report).
QUICK_HOME := results/.quick
QUICK_RUN := results/quick/quick-qwen3/raft/kfold
QUICK_FOLD := $(QUICK_HOME)/$(QUICK_RUN)/fold-0
QUICK_SNAKEMAKE := $(BIN)/snakemake --cores $(CORES) --quiet rules --directory $(QUICK_HOME) --configfile config/quick.yaml --
QUICK_EXPORT := $(BIN)/oncoraft export --run $(QUICK_FOLD) --base $(QUICK_HOME)/results/pretraining/quick-qwen3/base --out results/models/quick
# What was measured of an earlier model must not go into the folder of a new one.
QUICK_MODEL := $(QUICK_SNAKEMAKE) $(QUICK_RUN)/fold-0/manifest.json && \
  { [ $(QUICK_FOLD)/recalibration.json -nt $(QUICK_FOLD)/manifest.json ] || rm -rf $(QUICK_FOLD)/recalibration.json $(QUICK_HOME)/$(QUICK_RUN)/metrics; } && \
  { [ results/models/quick/manifest.json -nt $(QUICK_FOLD)/manifest.json ] || $(QUICK_EXPORT); }
QUICK_JUDGED := $(QUICK_SNAKEMAKE) $(addprefix $(QUICK_RUN)/,metrics/metrics.json survival/survival.json) && \
  { [ results/models/quick/manifest.json -nt $(QUICK_HOME)/$(QUICK_RUN)/metrics/metrics.json ] || $(QUICK_EXPORT); }
# Nothing is fetched once set up: model code must not look for a hub.
export HF_HUB_OFFLINE := 1
export TOKENIZERS_PARALLELISM := false

.PHONY: help setup reproduce page test check bench format docs lock clean

help:
	@echo "make reproduce   the whole workflow on the synthetic twin with a tiny model; says where the report is"
	@echo "make page        a local web page of one case, on the demo's model, or on a small one made meanwhile"
	@echo "make test        environment, formatter, linter, types, import rules, then every test"
	@echo "make check       all but the tests"
	@echo "make bench       every ratio that is promised, measured in one run (an hour and a half)"
	@echo "make format      write what the formatters want"
	@echo "make docs        regenerate the documents and the schema that are made from code"
	@echo "make clean       remove results of the demo"

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml
	$(PYTHON) -c "import sys; sys.exit(0 if sys.version_info >= (3, 11) else 'Python 3.11 or newer is needed; give one by make PYTHON=...')"
	$(PYTHON) -m venv .venv
	@# Half of an installation's time goes into byte code, most of it of modules that nothing here imports: what is imported is compiled by importing it.
	@# Fetching and unpacking take turns in one pip; two of them share the list, which is complete (`make check` asks).
	grep -v '^\#' requirements.lock | xargs -P 2 -n 55 $(BIN)/pip install --quiet --disable-pip-version-check --no-compile --no-deps
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -c "import importlib, oncoraft.planning.steps as all; [importlib.import_module(one.module) for one in all.STEPS.values()]; import oncoraft.page.app, snakemake.cli, uvicorn"
	@touch $(STAMP)

reproduce: setup
	@$(BIN)/snakemake --cores $(CORES) --workflow-profile workflow/profiles/default
	@$(BIN)/oncoraft headline results/demo/report

page: setup
	@if [ -f $(DEMO)/score_head.pt ]; then \
	  [ results/models/demo/manifest.json -nt $(DEMO)/manifest.json ] || $(BIN)/oncoraft export --run $(DEMO) --out results/models/demo || exit; \
	  $(BIN)/oncoraft page --model results/models/demo --results results/demo --open; \
	else $(BIN)/oncoraft page --model results/models/quick --results results/.quick/results/quick --config config/quick.yaml \
  --made-by "$(QUICK_MODEL)" --made-by "$(QUICK_JUDGED)" --open; fi

test: check
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python -m pytest -n 2 --dist loadgroup

check: setup
	$(BIN)/pip --disable-pip-version-check check
	$(BIN)/ruff format --check --quiet src tests benchmarks
	$(BIN)/ruff check --quiet src tests benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check --compact-diff Snakefile workflow
	$(BIN)/snakemake --lint

bench: setup
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=PASSIVE $(BIN)/python benchmarks/bench.py --record

format: setup
	$(BIN)/ruff format src tests benchmarks
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/snakefmt Snakefile workflow

docs: setup
	$(BIN)/python -m oncoraft.documents
	$(BIN)/python -m oncoraft.reruns.rulegraph

lock:
	$(PYTHON) -m venv --clear .venv-lock
	.venv-lock/bin/pip install --quiet torch==2.13.0 --editable ".[development]"
	( head -1 requirements.lock; .venv-lock/bin/pip freeze --all --exclude-editable | sed 's/+cpu//; /^pip==/d' | sort -f ) > requirements.lock.new
	mv requirements.lock.new requirements.lock
	rm -rf .venv-lock

clean:
	rm -rf results/demo results/pretraining results/models
