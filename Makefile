# Two commands do their own set-up: `make demo` and `make test`. Needs python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint types unit fmt build clean

demo: .venv/installed
	$(BIN)/ppgn sample --model mnist --label all --n 8 --steps 200 --seed 0 --out demo --overwrite
	@echo "Open demo/grid.png and demo/chain.gif."

test: lint types unit

.venv/installed: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable '.[dev]'
	touch $@

lint: .venv/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# an installed copy is checked: in place, type checkers do not find the mapped packages;
# torch.Tensor.backward and friends are untyped
types: .venv/installed
	rm -rf build && $(BIN)/pip install --quiet --no-deps --target build/types .
	cd build/types && ../../$(BIN)/mypy --strict --allow-untyped-calls --config-file ../../pyproject.toml -p ppgn

unit: .venv/installed
	$(BIN)/pytest --cov --cov-report=term

fmt: .venv/installed
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

build: .venv/installed
	$(BIN)/python -m build

clean:
	rm -rf build dist *.egg-info demo
