# Two commands do everything on a fresh clone: `make compare` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
BASE ?= origin/main
RECIPE ?= optimized
OUT := results/pr-$(shell date -u +%Y%m%dT%H%M%SZ)
DEBIAN_PACKAGES := libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 fonts-dejavu-core

.PHONY: compare pr test check images clean
.NOTPARALLEL:

compare: .venv/ready .venv/pdf-ready  ## trains baseline and optimized on the embedded corpus and writes the reports
	$(BIN)/python -m harness compare

pr: .venv/ready .venv/pdf-ready  ## compares the code of BASE with that of HEAD or of the working tree: make pr BASE=origin/main
	$(BIN)/python -m harness compare $(RECIPE)@$(BASE) $(RECIPE)$(HEAD:%=@%) --out $(OUT)
	$(BIN)/python -m harness verify $(OUT) --replay 3

test: .venv/ready .venv/pdf-ready  ## runs the tests
	$(BIN)/python -m pytest -n auto

check: .venv/ready  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

images: .venv/ready  ## makes the README's pictures from the committed comparison; needs pdftoppm of poppler-utils
	$(BIN)/python docs/make_images.py

clean:
	rm -rf .venv

.venv/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' \
	  || { echo "error: Python 3.11 or 3.12 is needed; name one: make PYTHON=python3.11" >&2; exit 2; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
	  || { echo "error: Python's venv is missing; on Debian: apt-get install python3-venv" >&2; exit 6; }
	@echo "Installing into .venv: a few minutes without another word, and about 2 GB (more where torch comes with CUDA)"
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

# The PDF needs Pango, HarfBuzz and a font from the system. Without them all else still works, so this never fails.
.venv/pdf-ready: .venv/ready
	@if $(BIN)/python -m harness.report.pdf --check 2>/dev/null; then touch $@; \
	elif [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo "Installing what the PDF needs: apt-get install $(DEBIAN_PACKAGES)"; \
	  { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(DEBIAN_PACKAGES); } >/dev/null 2>&1; \
	  if $(BIN)/python -m harness.report.pdf --check; then touch $@; fi; \
	else \
	  echo "note: report.pdf needs system libraries: sudo apt-get install $(DEBIAN_PACKAGES)" >&2; \
	fi; true
