# Roadworthy. `make` alone prints this help.
PYTHON ?= python3
VENV := .venv
BIN := $(CURDIR)/$(VENV)/bin
STAMP := $(VENV)/installed
export PATH := $(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.PHONY: help run install data road promote web page package summary ui serve retrain test test-all bench lint format lock clean prefect

help: ## print this help
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: install data road promote page package summary ## the whole road: images, training, promotion, Bento

install: $(STAMP) ## make .venv and install the locked requirements

# The stamp is written last, so that an interrupted install is done again.
$(STAMP): requirements.lock pyproject.toml
	@echo "==> installing the locked requirements into $(VENV)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@uv pip sync --compile-bytecode requirements.lock
	@uv pip install --quiet --no-deps --editable .
	@touch $@

data: install ## bring data/ to the version in data.dvc (draws the embedded images)
	@echo "==> images"
	@roadworthy setup

road: install ## dvc repro: every stage whose code, settings or inputs changed
	@echo "==> the road, stage by stage"
	@dvc repro

promote: install ## judge the exported models; the gate decides
	@echo "==> promotion"
	@roadworthy promote

PAGE := web/dist/index.html
PAGE_SOURCES := $(wildcard web/index.html web/*.ts web/tsconfig.json web/src/* web/src/*/* web/public/*/*)
PAGE_PACKAGES := web/node_modules/.package-lock.json

web: $(PAGE) ## build the page that the service shows at / (Node 20.19 or newer)

$(PAGE_PACKAGES): web/package.json web/package-lock.json web/.npmrc
	@echo "==> packages of the page"
	@cd web && npm ci --no-progress
	@touch $@

$(PAGE): $(PAGE_PACKAGES) $(PAGE_SOURCES)
	@echo "==> the page"
	@cd web && npm run --silent build
	@touch $@

# The service answers without its page, and says at / how to build it.
page: ## the same where npm is there, else a word on it
	@command -v npm >/dev/null || { echo "==> no page: npm is not installed (make web)"; exit 0; }; \
	  $(MAKE) web || echo "==> no page: npm failed, see above (make web tries again)"

package: install page ## build the Bento of the champions
	@echo "==> package"
	@roadworthy package

summary: install ## champions, figures, decisions, and where to look
	@roadworthy summary

ui: install ## open MLflow on http://127.0.0.1:5000
	@roadworthy ui

serve: install ## serve the champions on http://127.0.0.1:3000
	@roadworthy serve

retrain: install ## walk the road as a Prefect flow, without a server
	@python -m flows.retrain

prefect: install ## the server of Prefect and pages on http://127.0.0.1:4200
	@python -m flows.server

# A process for each core; `python -m pytest FILE` needs none of it.
PYTEST := python -m pytest -n auto --maxprocesses 8 --dist loadgroup

test: install ## run the tests
	@$(PYTEST) -m "not slow"

test-all: install ## run the tests and the long journeys
	@$(PYTEST)

bench: install ## how fast training is on this machine: ten minutes, tables and artifacts/bench/
	@python -m benchmarks.training
	@python -m benchmarks.training --markdown

lint: install ## ruff and mypy
	@ruff check .
	@ruff format --check .
	@mypy

format: install ## let ruff put the code in order
	@ruff check --fix .
	@ruff format .

lock: install ## resolve requirements.lock again from pyproject.toml
	@uv pip compile pyproject.toml --all-extras --universal --generate-hashes \
		--no-emit-index-url --no-header --quiet --output-file requirements.lock

clean: ## delete results, caches and registry; keeps .venv and the images
	@rm -rf artifacts checkpoints mlruns .bentoml .prefect .cache .dvc/cache .dvc/tmp
