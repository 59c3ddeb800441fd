# Two commands: `make demo` trains a first network, `make test` runs the suite.
# Both make .venv; PYTHON picks the interpreter, 3.11 or newer.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK = 1

# oneDNN under the CPU kernels; without it all runs, in JAX alone.
CPU := $(BIN)/python -m pip install --quiet --editable ".[cpu]" \
  || echo "oneDNN could not be installed: the CPU kernels are in JAX alone"

.PHONY: demo test points lint types format clean

demo: $(VENV)/.demo
	$(BIN)/python launch.py --config=experiments/quickstart.py --workdir=runs/quickstart

# TESTS names a part of the suite: make test TESTS=tests/sweep
TESTS := tests
test: $(VENV)/.test
	$(BIN)/python -m pytest -n 2 --dist=loadfile $(TESTS)

# Every family of nets at 300 random points of its axes, in about 40 minutes on two cores; the suite
# draws the first 2 of them, .ci/run the first 20.
POINTS := 300
points: $(VENV)/.test
	JAXNETS_POINTS=$(POINTS) $(BIN)/python -m pytest tests/nets/test_net_points.py -n 2 -q

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/pyright

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "error: jaxnets needs Python 3.11 or newer; $(PYTHON) is older"; \
	       echo "Name another one: make demo PYTHON=python3.12"; exit 2; }
	$(PYTHON) -m venv $(VENV)

# A stamp per set of extras; installed again when the dependencies change.
$(VENV)/.demo: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[data]"
	@$(CPU)
	@touch $@

$(VENV)/.test: setup.cfg pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable ".[test]"
	@$(CPU)
	@touch $@ $(VENV)/.demo
