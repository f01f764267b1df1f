# Two commands do everything on a fresh machine: `make serve` and `make test`.
PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
DATA ?= .data
SCALE ?= 0.1
BIN := .venv/bin

.PHONY: serve test check lint types bench trust image-test fixtures tools clean

serve: .venv/.serve  ## install, start, analyse the samples, print the address
	$(BIN)/nonlocal-lens serve --host $(HOST) --port $(PORT) --data $(DATA)

test: .venv/.dev tools  ## install what tests need and run all of them
	$(BIN)/python -m pytest
	node --test tests/js/

check: lint types test  ## format, lint, types, tests; warnings are errors

lint: .venv/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	if [ -x $(BIN)/hadolint ]; then $(BIN)/hadolint Dockerfile; fi
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.compose-spec compose.yaml

types: .venv/.dev
	$(BIN)/pyright

image-test:  ## build the image, start the compose stacks and use them; as root, with buildah and podman
	$(PYTHON) scripts/image_test.py

bench: .venv/.dev  ## measure what README.md states; prints a table
	$(BIN)/python -m benchmarks

trust: .venv/.dev tools  ## every promise of TRUST.md, measured: a table; SCALE=1 for all of it (over an hour)
	$(BIN)/python -m tests.trust --scale $(SCALE)

fixtures: .venv/.dev  ## golden numbers that Python and JavaScript tests share
	$(BIN)/python scripts/make_fixtures.py

.venv/.serve: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.dev: pyproject.toml
	test -d .venv || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@ .venv/.serve

# Browser tests drive Debian's Chromium, tests of the page's modules run in Node: 20 or newer.
tools:
	@if command -v chromium >/dev/null && command -v node >/dev/null && command -v pdftoppm >/dev/null && command -v ffprobe >/dev/null; then :; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && apt-get install -y -q --no-install-recommends chromium nodejs poppler-utils ffmpeg curl fonts-dejavu-core; \
	else echo "please install what tests drive: sudo apt-get install chromium nodejs poppler-utils ffmpeg curl"; exit 1; fi

clean:
	rm -rf .venv build dist *.egg-info
