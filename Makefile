# The commands of the lab. People, git hooks and CI call the same targets; `make help` lists them.
.DEFAULT_GOAL := help
.PHONY: help install data train demo up watch report check-lab dashboards backup restore soak api test night lint format bench bench-quick containers sbom faults lock clean

VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := $(basename $(wildcard benchmarks/peers/requirements/*.in))
# Programs of the virtual environment come first, also for their child processes (dvc runs `python`, honcho runs `mlflow`).
export PATH := $(CURDIR)/$(BIN):$(PATH)

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 13

install: $(INSTALLED) ## set up .venv with everything, from the pinned requirements

$(INSTALLED): requirements/install.txt requirements/dev.txt
	@sh scripts/install.sh $(VENV)
	@touch $@

data: $(INSTALLED) ## write data/<problem>/data.csv of each problem and split it with DVC
	@python -m scripts.prepare --all

train: $(INSTALLED) ## search models and register the best (needs a running MLflow: `make up`)
	@python -m scripts.prepare
	@python main.py

demo: $(INSTALLED) ## run the whole loop once, in a copy of the project under .demo/, and open its page (NO_BROWSER=1: do not)
	@python -m scripts.demo $(if $(NO_BROWSER),--no-browser)

up: $(INSTALLED) ## start MLflow, Prefect, the fine-tuning worker, the api and the monitor; Ctrl-C stops them all
	@python -m scripts.prepare
	@python -m scripts.stack

watch: $(INSTALLED) ## start Prometheus on the stack of `make up` (install Prometheus first); Ctrl-C stops it
	@python -m scripts.watch

report: $(INSTALLED) ## write the monitor's overview as one HTML page to print (needs a running stack: `make up`)
	@python -m scripts.report

check-lab: $(INSTALLED) ## say which tasks of docs/lab.md are done; it reads the state of the lab and changes nothing
	@python -m scripts.check_lab

backup: $(INSTALLED) ## save the lab, which may run meanwhile, into one file under backups/ (FILE=… another file)
	@python -m scripts.backup.save $(FILE)

restore: $(INSTALLED) ## bring a backup back into an empty lab: make restore FROM=lab.zip
	@python -m scripts.backup.restore $(if $(FROM),$(FROM),$(error name the file: make restore FROM=lab.zip))

dashboards: $(INSTALLED) ## write grafana/dashboards/ again from the Python code beside it
	@python -m grafana.build

api: $(INSTALLED) ## start the api alone; it reloads when the code changes
	@port=$$(python -m scripts.ports api) && fastapi dev api/api.py --port $$port

# Three test processes, each with servers of its own, because the tests spend much time waiting for servers.
test: $(INSTALLED) ## run the tests against real servers
	@pytest -m 'not thorough' --numprocesses 3 --dist loadfile --no-loadscope-reorder

# Both parts run, also when the first one has failed.
night: $(INSTALLED) ## run the tests that `make test` leaves out, then the soak (some hours)
	@pytest -m thorough --numprocesses 2 --dist loadfile --no-loadscope-reorder; tests=$$?; python -m tests.soak.run && exit $$tests

soak: $(INSTALLED) ## use a whole lab, do harm to it, count what is lost, write docs/reliability.md (100 minutes; SOAK_SECONDS, SOAK_KILLS)
	@python -m tests.soak.run

lint: $(INSTALLED) ## check style and types
	@ruff format --check .
	@ruff check .
	@python -m scripts.check_words
	@mypy .
	@cd lesson/solution && mypy --config-file ../../pyproject.toml --explicit-package-bases --disable-error-code import-untyped .

format: $(INSTALLED) ## put the code into the project's style
	@ruff format .
	@ruff check --fix .

bench: $(INSTALLED) ## measure every claim about speed and memory, write docs/benchmarks.md (two hours; needs wrk)
	@python -m benchmarks.run

bench-quick: $(INSTALLED) ## compare the api with an empty endpoint, before and after a change (a minute; needs wrk)
	@python -m benchmarks.quick

containers: $(INSTALLED) ## build the images, start the stack, and test the loop on it
	@bash containers/check.sh

sbom: $(INSTALLED) ## write the parts list (SBOM) of each image, with hashes and licences, into .lab/sbom/
	@python -m scripts.sbom

faults: $(INSTALLED) ## ask OSV about known faults of the pinned packages; without a way there it says so
	@python -m scripts.known_faults

lock: ## resolve the dependencies again and export the pinned requirements (needs Poetry and its export plugin)
	poetry lock
	poetry export --only install -o requirements/install.txt
	poetry export --only main,dev -o requirements/dev.txt
	poetry export --only main,api -o api/requirements.txt
	poetry export --only main,finetune,cluster -o finetune/requirements.txt
	poetry export --only main,monitor -o monitor/requirements.txt
	poetry export --only tracking,s3 -o containers/mlflow/requirements.txt
	for peer in $(PEERS); do uv pip compile --quiet --upgrade --system-certs --universal --python-version 3.11 \
		--generate-hashes --no-annotate --no-header --no-emit-index-url $$peer.in -o $$peer.txt >/dev/null || exit 1; done

clean: ## delete all state: of servers, logs, store, corrections, models and demo
	rm -rf .lab .demo data/lab.db data/lab.db-* data/*/finetune.csv data/*/finetune.lock models/*/
