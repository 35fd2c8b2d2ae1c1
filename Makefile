# make demo: a small training from nothing to a scorecard.  make test: all that CI checks.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO := runs/demo
PROBE := --vehicles 1 --cameras 2 --pictures 2 --test 0 --validation 0 --processes 1

.PHONY: demo demo-drawn demo-toy test quick soak lint clean

$(VENV)/.done: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@

# a probe of two pictures tells whether this machine can draw; where it cannot, the toy set serves
demo: $(VENV)/.done
	@rm -rf $(DEMO)
	@if reason=$$($(BIN)/clipsenet synthesize $(DEMO)/probe $(PROBE) 2>&1 >/dev/null); then \
		$(MAKE) --no-print-directory demo-drawn; \
	else \
		case "$$reason" in \
			*"without a display"*|*"needs VTK"*) ;; \
			*) echo "$$reason"; exit 1 ;; \
		esac; \
		echo "demo: a TOY set of shapes instead of drawn vehicles: $$(echo "$$reason" | tail -n 1)"; \
		$(MAKE) --no-print-directory demo-toy; \
	fi

demo-drawn:
	@echo "demo: drawn vehicles (no picture shows a real one), a small CNN from random weights, a scorecard"
	$(BIN)/clipsenet synthesize $(DEMO)/pictures --vehicles 60 --cameras 8 --pictures 16 --validation 0
	$(BIN)/clipsenet sheet $(DEMO)/pictures/pictures.csv --to $(DEMO)/sheet.png
	$(BIN)/clipsenet train recipes/demo.yaml --data $(DEMO)/pictures --run $(DEMO)/run
	$(BIN)/clipsenet evaluate $(DEMO)/run --data $(DEMO)/pictures
	@echo "look at $(DEMO)/sheet.png; then try recipes/demo-clipsenet.yaml on the same pictures, more vehicles"
	@echo "(clipsenet synthesize OUT --vehicles 200), and your own pictures: README.md, 'Your own pictures'"

demo-toy:
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
