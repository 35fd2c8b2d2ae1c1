# make demo: a small training from nothing to a scorecard.  make test: all that CI checks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo

.PHONY: demo test quick soak lint clean

$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

demo: $(VENV)/.done
	@echo "demo: a toy set of drawn shapes (not vehicles), so that every step can be seen within minutes"
	rm -rf $(DEMO)
	$(BIN)/clipsenet toy $(DEMO)/pictures
	$(BIN)/clipsenet train recipes/toy.yaml --data $(DEMO)/pictures --run $(DEMO)/run
	$(BIN)/clipsenet evaluate $(DEMO)/run --data $(DEMO)/pictures
	@echo "next, with your own pictures: README.md, 'Your own pictures'"

lint: $(VENV)/.done
	$(BIN)/ruff check src tests
	$(BIN)/ruff format --check src tests
	$(BIN)/mypy
	$(BIN)/lint-imports

test: lint
	$(BIN)/pytest -n 2

quick: lint
	$(BIN)/pytest -n 2 -m "not slow and not soak"

soak: $(VENV)/.done
	$(BIN)/pytest -m soak

clean:
	rm -rf $(VENV) runs .mypy_cache .ruff_cache .pytest_cache .hypothesis
