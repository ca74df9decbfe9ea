# make            what there is to do
# make run        the whole application on this machine
# Nothing needs installing by hand but Python 3.13.

PORT ?= 8000
STACK_PORT ?= 4566
ARCHITECTURE ?= arm64
ENV ?= dev

BIN := .venv/bin
TOOLS := PYTHONPATH=tools $(BIN)/python -m tandem_tools
LOCKS := tools/tandem_tools/locks
LOCK := $(BIN)/uv pip compile --quiet --generate-hashes --python-version 3.13 --universal
export SAM_CLI_TELEMETRY := 0
export PYTHON PARAMETERS # a recipe that pastes a value gives it to the shell to read

# What runs on AWS goes where AWS's own settings say, and does not guess what was meant.
ON_AWS := $(filter deploy destroy restore prove-on-aws,$(MAKECMDGOALS))
ifeq ($(ON_AWS),)
export AWS_DEFAULT_REGION ?= us-east-1
else ifneq ($(words $(MAKECMDGOALS)),1)
$(error make $(ON_AWS) stands alone; an environment is named by ENV: make $(ON_AWS) ENV=staging)
else ifeq ($(origin env),command line)
$(error make has no variable env: make $(ON_AWS) ENV=$(env))
endif

.DEFAULT_GOAL := help
.PHONY: help setup run token down build deploy destroy restore prove-on-aws stored test test-unit check package audit bench soak fuzz \
	compare-tables docs openapi client lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: .venv/.ready .venv-ministack/.ready .venv-sam/.ready ## Make the virtual environments (done on demand)

run: setup ## Start the whole stack on this machine, try it, follow its logs (PORT, STACK_PORT, PARAMETERS)
	@$(TOOLS) up --port $(PORT) --stack-port $(STACK_PORT)

token: ## Print a new access token of the running stack (OPERATOR=1: with the operators' scopes)
	@$(TOOLS) token $(if $(OPERATOR),--operator)

down: ## Stop the running stack
	@$(TOOLS) down

build: setup ## Build what is deployed (ARCHITECTURE=arm64, or x86_64)
	@$(TOOLS) build --architecture $(ARCHITECTURE)

deploy: setup ## Deploy to AWS (ENV=dev, staging or prod; PARAMETERS="Name=value …"; YES=1: without asking)
	@$(TOOLS) deploy $(ENV) $(if $(YES),--yes)

destroy: setup ## Delete a deployment (ENV; prod: CONFIRM=tandem-prod), and say what stays
	@$(TOOLS) destroy $(ENV) --confirm "$(CONFIRM)"

restore: setup ## Bring a deployment's table back to a moment (ENV; TO=2026-11-26T12:00:00Z; YES=1: without asking)
	@$(TOOLS) restore $(ENV) --to "$(TO)" $(if $(YES),--yes)

prove-on-aws: setup ## Prove on AWS what never ran there, in a stack of its own that is deleted (YES=1: without asking)
	@$(TOOLS) prove $(if $(YES),--yes)

stored: setup ## Compare what stacks keep with the last release (RECORD=1: write it down as the last release's)
	@$(TOOLS) stored $(if $(RECORD),--record)

# Files are spread over one process more than there are processors: the stack tests mostly wait.
test: setup ## Run all tests
	$(BIN)/python -m pytest --numprocesses $$(($$(getconf _NPROCESSORS_ONLN) + 1)) --maxprocesses 4 --dist loadfile --durations 25

# Without the properties of tables and of a task's whole life, which take longer than all others.
test-unit: setup ## Run the tests over doubles that take little time
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal tests/unit \
		--ignore tests/unit/processors/tables --ignore tests/unit/tasks/test_state_machine.py

check: setup .venv-checkov/.passed ## Check style, types, prose, the template, security mistakes, vulnerabilities, the package's size
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict functions tools client
	$(TOOLS) budget
	$(TOOLS) prose
	$(BIN)/cfn-lint
	$(TOOLS) deployments
	$(BIN)/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(BIN)/zizmor --offline --quiet .github
	.venv-sam/bin/sam validate --lint
	$(BIN)/bandit --quiet --recursive --severity-level medium --confidence-level medium \
		--configfile pyproject.toml functions $(addprefix tools/tandem_tools/,build check deploy run settings)
	$(TOOLS) vulnerabilities requirements.txt
	$(TOOLS) stored
	$(TOOLS) artifact

package: setup ## Make the wheels of the library, the tools and the client, in dist/
	@$(TOOLS) package

audit: setup ## Look for known vulnerabilities in all lock files: what ships, and what makes it
	$(TOOLS) vulnerabilities requirements*.txt $(LOCKS)/*.txt

bench: setup ## Measure start-up, requests and throughput
	@$(TOOLS) bench

soak: setup ## Kill functions under load, then audit (FAULTS="seed …": AWS calls fail too; TASKS, MINUTES)
	@$(TOOLS) bench $(if $(FAULTS),faults --seeds $(FAULTS) $(if $(TASKS),--tasks $(TASKS)) $(if $(MINUTES),--minutes $(MINUTES)),soak)

fuzz: setup ## Look for minutes where the API breaks its OpenAPI document (SEED, EXAMPLES)
	@$(TOOLS) fuzz $(if $(SEED),--seed $(SEED)) $(if $(EXAMPLES),--examples $(EXAMPLES))

compare-tables: .venv-tables/.ready ## Compare the table processors with pandas, on real tables (ONLY=part of their names)
	@PYTHONPATH=functions:tools .venv-tables/bin/python -m tandem_tools compare-tables $(if $(ONLY),--only $(ONLY))

openapi: setup ## Write docs/openapi.json again from the application
	@$(TOOLS) openapi

docs: setup openapi ## Write docs/configuration.md, and docs/reference/api.md from what a new stack answers
	@$(TOOLS) configuration
	@$(TOOLS) reference

client: openapi ## Write the client's models again from docs/openapi.json
	@$(BIN)/python client/generate.py

lock: setup ## Resolve the lock files again from both pyproject.toml
	$(LOCK) pyproject.toml -o requirements.txt
	$(LOCK) pyproject.toml client/pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt
	$(LOCK) --group ministack -o $(LOCKS)/ministack.txt
	$(LOCK) --group sam -o $(LOCKS)/sam.txt
	$(LOCK) --group checkov -o $(LOCKS)/checkov.txt
	$(LOCK) client/pyproject.toml --group project -c requirements.txt -c requirements-dev.txt -o $(LOCKS)/project.txt
	$(LOCK) pyproject.toml --group tables -c requirements.txt -o $(LOCKS)/tables.txt

clean: down ## Remove what was built and every virtual environment
	rm -rf .aws-sam .local .tools .venv .venv-checkov .venv-ministack .venv-sam .venv-tables
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each environment holds exactly its lock file, and is made again when that changes.

.venv/.ready: requirements-dev.txt
	@echo "Making .venv …"
	@python=$$(sh tools/find-python) && "$$python" -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check "$$(sed -n 's/^\(uv==[0-9.]*\).*/\1/p' $<)"
	@# Compiled once: many processes begin from it, and some environments let Python keep no .pyc files.
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python $<
	@touch $@

.venv-ministack/.ready: $(LOCKS)/ministack.txt | .venv/.ready
	@echo "Making .venv-ministack …"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-ministack
	@$(BIN)/uv pip sync --quiet --python .venv-ministack/bin/python $<
	@touch $@

.venv-sam/.ready: $(LOCKS)/sam.txt | .venv/.ready
	@echo "Making .venv-sam …"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-sam
	@$(BIN)/uv pip sync --quiet --python .venv-sam/bin/python $<
	@touch $@

.venv-checkov/.ready: $(LOCKS)/checkov.txt | .venv/.ready
	@echo "Making .venv-checkov …"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-checkov
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python .venv-checkov/bin/python $<
	@touch $@

.venv-tables/.ready: $(LOCKS)/tables.txt | .venv/.ready
	@echo "Making .venv-tables …"
	@$(BIN)/uv venv --quiet --allow-existing --python $(BIN)/python .venv-tables
	@$(BIN)/uv pip sync --quiet --python .venv-tables/bin/python $<
	@touch $@

# It takes longest to start of all checks, and says the same of the same template.
.venv-checkov/.passed: template.yaml .checkov.yaml .venv-checkov/.ready
	.venv-checkov/bin/checkov --config-file .checkov.yaml
	@touch $@
