# Every command a person types. `make` alone lists them.

PYTHON ?= python3
PORT ?= 3000
DATA ?= ../shared/data

BIN := .venv/bin
SAM_BIN := .venv-sam/bin
PIP_INSTALL := install --quiet --no-input --disable-pip-version-check --no-deps --require-hashes --requirement
# The layer and each function are import roots of their own, as they are on Lambda.
RUN := env PYTHONPATH=.:layers/model:functions/predict:functions/feedback:functions/admin:functions/console:functions/retrain $(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help up retrain event data test test-browser test-s3 check format contract screenshots baseline lock clean bench-accuracy bench-retrain \
	bench-functions bench-cold bench-clients bench-size bench-score bench-scaling bench-handler bench-files bench-cost \
	bench-replay bench-gate bench-canaries bench-screening bench-scale attack \
	bench-shadow bench-swap bench-trials bench-drift bench-console

help: ## list the commands
	@grep -E '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

# --- run ---------------------------------------------------------------------------------------------------------

up: .venv/local ## run the whole service on this machine: make up PORT=3000
	@exec $(RUN) -m infra.local.up --port $(PORT)

retrain: .venv/local ## learn from the corrections in the running `make up`
	@$(RUN) -m infra.local.retrain

event: .venv/local ## send the retrain function another event: make event EVENT='{"action": "check"}'
	@$(RUN) -m infra.local.retrain '$(EVENT)'

data: .venv/data ## import base data: make data NAME=sst2, or make data NAME=mine FROM=rows.csv
	@$(RUN) -m infra.local.data $(NAME) $(if $(FROM),--path $(FROM))

# --- check -------------------------------------------------------------------------------------------------------

test: .venv/dev .venv-sam/sam ## run the tests
	$(RUN) -m pytest

test-browser: .venv/dev ## test the console in Chromium, which has to be installed
	$(RUN) -m pytest -m browser tests/e2e/browser

test-s3: .venv/dev .venv-localstack/localstack ## test the pointer in racing processes, on two S3 implementations
	$(RUN) -m pytest tests/s3

check: .venv/dev .venv-sam/sam ## lint, types, import rules, and the template in three forms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(RUN) -m pytest tests/unit/test_architecture.py
	$(SAM_BIN)/cfn-lint template.yaml
	SAM_CLI_TELEMETRY=0 $(SAM_BIN)/sam validate --lint --region eu-central-1
	$(SAM_BIN)/python infra/expand_template.py

format: .venv/dev ## format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# --- deploy ------------------------------------------------------------------------------------------------------

.PHONY: deploy teardown privileges
STAGE_GIVEN = $(or $(filter dev prod,$(STAGE)),$(error STAGE is dev or prod: make $@ STAGE=dev))
typed = $(if $(findstring command,$(origin $(1))),$($(1)))# what has to be meant is typed, not found in the environment

deploy: .venv/local .venv-sam/sam ## build and deploy to AWS: make deploy STAGE=dev; asks for all it needs the first time
	@$(RUN) -m infra.deploy.deploy --stage $(STAGE_GIVEN) --architecture "$(ARCHITECTURE)" --release "$(call typed,RELEASE)"

teardown: .venv/local .venv-sam/sam ## delete a stack and its bucket: make teardown STAGE=dev; with data: DELETE_DATA=yes
	@$(RUN) -m infra.deploy.teardown --stage $(STAGE_GIVEN) --delete-data "$(call typed,DELETE_DATA)" --bucket "$(call typed,BUCKET)"

privileges: .venv/local .venv-sam/sam ## write the tables of docs/security.md from the expanded template
	$(RUN) -m infra.deploy.privileges

# --- measure -----------------------------------------------------------------------------------------------------

bench-accuracy: .venv/dev ## accuracy and calibration beside other methods: make bench-accuracy DATA=folder
	$(RUN) -m tests.benchmarks.accuracy $(DATA)

bench-retrain: .venv/dev ## seconds and memory of a retrain on SST-2: make bench-retrain DATA=folder
	$(RUN) -m tests.benchmarks.retrain $(DATA)

bench-functions: .venv/dev ## memory and start of the HTTP functions, beside what the template gives them
	$(RUN) -m tests.benchmarks.functions

bench-cold: .venv/dev .venv-sam/sam ## a start under Lambda's runtime, beside a naive handler's: make bench-cold DATA=folder
	$(RUN) -m tests.benchmarks.cold $(DATA)

bench-clients: .venv/dev .venv-sam/sam ## what each way to read from S3 costs a start
	$(RUN) -m tests.benchmarks.clients

bench-size: .venv/dev .venv-sam/sam ## what each function is once deployed, in megabytes
	$(RUN) -m tests.benchmarks.size

bench-score: .venv/bench ## scoring beside scikit-learn, VADER and fastText: make bench-score DATA=folder
	$(RUN) -m tests.benchmarks.score $(DATA)

bench-scaling: .venv/bench ## how cost grows with length, batch and width; writes docs/images/scaling.svg
	$(RUN) -m tests.benchmarks.scaling

bench-handler: .venv/dev ## one request through the predict handler
	$(RUN) -m tests.benchmarks.handler

bench-files: .venv/dev ## `./sentiloop score` on a million rows: make bench-files DATA=folder
	$(RUN) -m tests.benchmarks.files $(DATA)

bench-cost: .venv/dev ## dollars a million predictions, beside managed services
	$(RUN) -m tests.benchmarks.cost

bench-replay: .venv/bench ## weeks of corrections from new domains, beside naive merging: make bench-replay DATA=folder
	$(RUN) -m tests.benchmarks.replay $(DATA)

attack: .venv/dev ## poisoned corrections against the naive gate and ours: make attack DATA=folder
	$(RUN) -m tests.benchmarks.attack $(DATA)

bench-gate: .venv/dev ## 500 simulated promotions each: what the gate lets through and what it finds
	$(RUN) -m tests.benchmarks.gate

bench-canaries: .venv/dev ## names in honest feedback and in campaigns: make bench-canaries DATA=folder
	$(RUN) -m tests.benchmarks.canaries $(DATA)

bench-screening: .venv/dev ## what of honest and of poisoned corrections goes to quarantine: make bench-screening DATA=folder
	$(RUN) -m tests.benchmarks.screening $(DATA)

bench-scale: .venv/bench ## a million corrections: first and incremental runs; writes docs/images/scale.svg
	$(RUN) -m tests.benchmarks.scale

bench-shadow: .venv/dev ## what scoring beside a challenger adds to a prediction, in milliseconds and dollars
	$(RUN) -m tests.benchmarks.shadow

bench-swap: .venv/dev ## promotions and roll-backs under load: failed requests, and seconds until the last old answer
	$(RUN) -m tests.benchmarks.swap

bench-trials: .venv/dev ## 200 simulated canaries each: how often and how soon a challenger is withdrawn
	$(RUN) -m tests.benchmarks.trials

bench-drift: .venv/dev ## streams with and without drift: false alarms, and samples until found: make bench-drift DATA=folder
	$(RUN) -m tests.benchmarks.drift $(DATA)

bench-console: .venv/dev ## the page in Chromium: weight, times, and clicks until an answer has changed
	$(RUN) -m tests.benchmarks.console

# --- through SAM -------------------------------------------------------------------------------------------------

.PHONY: sam-build sam-image sam-local sam-invoke-retrain sam-test bench-sam-local bench-sam-retrain

# Builds a stand-in for Lambda's base image where that cannot be pulled; not needed where it can.
LAMBDA_IMAGE ?= ../shared/lambda-image/build.sh
SAM_BUILT := .aws-sam/local/build/template.yaml
SAM_SOURCES := template.yaml infra/build.mk $(shell find functions layers -type f ! -name '*.pyc')

$(SAM_BUILT): $(SAM_SOURCES) | .venv/local .venv-sam/sam
	@$(RUN) -m infra.sam.build

sam-build: $(SAM_BUILT) ## build the functions and the layer as deployed, for this machine's processor

sam-image: .venv/local ## make sure of Docker and of the image that `sam local` runs functions in
	@LAMBDA_IMAGE=$(LAMBDA_IMAGE) $(RUN) -m infra.sam.image

sam-local: sam-image $(SAM_BUILT) ## run the service in containers: make sam-local PORT=3000
	@exec $(RUN) -m infra.sam.local --port $(PORT)

sam-invoke-retrain: .venv/local ## run the scheduled retrain in its container, on the running `make sam-local`
	@$(RUN) -m infra.sam.retrain --port $(PORT)

sam-test: sam-image $(SAM_BUILT) .venv/dev ## run the tests in containers
	$(RUN) -m pytest -m sam tests/e2e/sam

bench-sam-local: sam-image $(SAM_BUILT) .venv/dev ## one prediction through `sam local`, beside a two-line handler
	$(RUN) -m tests.benchmarks.sam_local

bench-sam-retrain: sam-image $(SAM_BUILT) .venv/dev ## retrain on SST-2 in its container: make bench-sam-retrain DATA=folder
	$(RUN) -m tests.benchmarks.sam_retrain $(DATA)

# --- make what is committed --------------------------------------------------------------------------------------

contract: .venv/local ## write openapi.json, docs.html and docs/settings.md from the code
	$(RUN) -m infra.contract

screenshots: .venv/dev ## take the pictures of the console in docs/images; needs Chromium
	$(RUN) -m tests.e2e.browser.screenshots

baseline: .venv/local ## train the bundled baseline: make baseline DATA=folder
	$(RUN) -m infra.baseline $(DATA)

lock: .venv/uv ## resolve the requirements anew
	PATH=$(BIN):$$PATH requirements/lock.sh

clean: ## remove what the commands above made, but not the local bucket
	rm -rf .venv .venv-sam .venv-localstack .aws-sam .pytest_cache .mypy_cache .ruff_cache .hypothesis

# --- environments ------------------------------------------------------------------------------------------------

.venv/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or newer is needed: make PYTHON=python3.13 …")'
	$(PYTHON) -m venv .venv

# One virtual environment; each set holds the one before it, so that `make up` waits for no tool it does not use.
.venv/local .venv/data .venv/dev .venv/bench .venv/uv: .venv/%: requirements/%.txt | .venv/bin/python
	@echo "Installing requirements/$*.txt into .venv …"
	@$(BIN)/pip $(PIP_INSTALL) $<
	@touch $@

# aws-sam-cli pins so many libraries that it needs an environment of its own.
.venv-sam/sam: requirements/sam.txt
	@echo "Installing requirements/sam.txt into .venv-sam …"
	@test -d .venv-sam || $(PYTHON) -m venv .venv-sam
	@.venv-sam/bin/pip $(PIP_INSTALL) $<
	@touch $@

# LocalStack runs on Python 3.13 alone. A version manager's python3.13 may be there and not run: then name one that does.
PYTHON313 ?= python3.13
.venv-localstack/localstack: requirements/localstack.txt
	@$(PYTHON313) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null || \
		{ echo "make $(MAKECMDGOALS) needs a Python 3.13 that runs: make $(MAKECMDGOALS) PYTHON313=/path/to/python3.13"; exit 1; }
	@echo "Installing requirements/localstack.txt into .venv-localstack …"
	@test -d .venv-localstack || $(PYTHON313) -m venv .venv-localstack
	@.venv-localstack/bin/pip $(PIP_INSTALL) $<
	@touch $@
