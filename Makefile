# The commands do their own set-up, first of all `make demo` and `make test`. Needs python3 (3.11 or newer) and make.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo gallery test lint types wheel unit fmt build clean

demo: .venv/installed
	$(BIN)/ppgn sample --model mnist --label all --n 8 --steps 200 --seed 0 --out demo --overwrite
	@echo "Open demo/report.html (or grid.png and chain.gif beside it)."

gallery: .venv/installed
	$(BIN)/python benchmarks/gallery.py --out gallery

test: lint types wheel unit

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

# every module imports, and the weights are there, from the wheel's files in another folder
wheel: types
	cd build && ../$(BIN)/python -P -c "import sys; sys.path.insert(0, 'types'); import importlib, pkgutil, ppgn; \
	assert 'build' in ppgn.__file__, ppgn.__file__; ppgn.load('mnist'); \
	[importlib.import_module(m.name) for m in pkgutil.walk_packages(ppgn.__path__, 'ppgn.') if m.name != 'ppgn.__main__']"

unit: .venv/installed
	$(BIN)/pytest --numprocesses auto --maxprocesses 8 --dist worksteal --cov --cov-report=term

fmt: .venv/installed
	$(BIN)/ruff format . && $(BIN)/ruff check --fix .

build: .venv/installed
	$(BIN)/python -m build

clean:
	rm -rf build dist *.egg-info demo gallery
