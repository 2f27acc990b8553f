PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGE := server tools prompts skills $(wildcard src/corpuscope/*.py) src/corpuscope/py.typed

# Threads that spin while they wait slow one another down on a busy machine.
export OMP_WAIT_POLICY := passive
export GOMP_SPINCOUNT := 10000

.PHONY: demo test kills cover check format wheel test-wheel test-extras test-milvus bench bench-describe clean

demo: $(VENV)/ready
	$(BIN)/corpuscope demo

# A process for each core; the tests of a file share datasets, so they stay together.
test: $(VENV)/ready
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder

# Kills of workers, stores and servers in the middle of calls, a dozen in each life. A life that fails
# is lived again by its number: make kills FIRST_LIFE=7 LIVES=1
LIVES ?= 9
FIRST_LIFE ?= 0

kills: $(VENV)/ready
	LIVES=$(LIVES) FIRST_LIFE=$(FIRST_LIFE) $(BIN)/python -m pytest -q -n 3 tests/kills

cover: $(VENV)/ready
	$(BIN)/python -m pytest -q -n auto --dist loadfile --no-loadscope-reorder --cov=corpuscope --cov-branch --cov-report=term

check: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The wheel by way of the sdist: what is missing from the one is missing from the other.
wheel: $(VENV)/ready
	rm -rf build dist
	$(BIN)/python -m build

# The wheel in an empty venv far from these folders: it must serve every tool.
test-wheel: wheel
	$(BIN)/python .ci/try_wheel.py dist/*.whl

# The venv counts as ready only once everything in it is installed.
$(VENV)/ready: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "corpuscope needs Python 3.11 or newer; run: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable . --group dev
	# numba compiles here, once, and not while somebody waits for the first clusters.
	$(BIN)/python -c 'from corpuscope.tools.clustering.warm_up import warm_up; warm_up()'
	# The package as it is installed, in links: type checkers and editors follow no import hook.
	mkdir -p $(VENV)/types/corpuscope
	cd $(VENV)/types/corpuscope && ln -sfn $(PACKAGE:%=../../../%) .
	touch $@

# The embedders that need torch, on tiny models that the tests make. torch goes in first and by
# itself, because the extras would take the newest, which on Linux brings gigabytes of CUDA. Where
# pip finds no CPU build of this one, name the index that has them:
#   make test-extras TORCH="torch --index-url https://download.pytorch.org/whl/cpu"
TORCH ?= torch==2.13.0
EXTRAS := .venv-extras

test-extras: $(EXTRAS)/ready
	HF_HUB_OFFLINE=1 $(EXTRAS)/bin/python -m pytest -q -m extras tests/extras

$(EXTRAS)/ready: pyproject.toml
	$(PYTHON) -m venv $(EXTRAS)
	$(EXTRAS)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(EXTRAS)/bin/python -m pip install --quiet $(TORCH)
	$(EXTRAS)/bin/python -m pip install --quiet --group dev \
		--editable ".[bge-m3,sentence-transformers,model2vec]"
	touch $@

# The tools on Milvus itself, an old one (2.3.5) that comes as a package, in a venv of its own: it
# wants an old setuptools. Where pip finds none for this machine, the tests say so and are skipped.
MILVUS := .venv-milvus

test-milvus: $(VENV)/ready
	test -x $(MILVUS)/bin/milvus-server || { $(PYTHON) -m venv $(MILVUS) && \
		$(MILVUS)/bin/python -m pip install --quiet "milvus==2.3.5" "setuptools<80"; } || true
	MILVUS_SERVER=$(MILVUS)/bin/milvus-server $(BIN)/python -m pytest -q -rs tests/milvus

# Corpuscope beside the tools that do the same: writes bench/RESULTS.md. The data and what else to
# measure are flags (`make bench BENCH="--help"` lists them).
BENCH ?=
BENCHING := .venv-bench

bench: $(BENCHING)/ready
	HF_HUB_OFFLINE=1 $(BENCHING)/bin/python -m bench $(BENCH)

$(BENCHING)/ready: pyproject.toml
	$(PYTHON) -m venv $(BENCHING)
	$(BENCHING)/bin/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BENCHING)/bin/python -m pip install --quiet $(TORCH)
	$(BENCHING)/bin/python -m pip install --quiet --editable ".[bench]"
	# Not while it measures: the compiler leaves a gigabyte behind.
	$(BENCHING)/bin/python -c 'from corpuscope.tools.clustering.warm_up import warm_up; warm_up()'
	touch $@

# What the words about clusters are worth, on the sets with labels, into the same document. It needs
# no peers; with CORPUSCOPE_LLM_MODEL and its endpoint set, that model writes and sorts too.
bench-describe: $(VENV)/ready
	HF_HUB_OFFLINE=1 $(BIN)/python -m bench --describe $(BENCH)

clean:
	rm -rf $(VENV) .venv-extras .venv-milvus .venv-bench build dist *.egg-info src/*.egg-info
