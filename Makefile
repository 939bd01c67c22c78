# streamverify: `make` lists what there is. Every target makes the virtual environment that it needs, in .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
# Two targets would install into one environment at once.
.NOTPARALLEL:
.PHONY: help check-deploy check-images lock licences release dashboards picture check-alerts docs site check-asyncapi transcripts demo test test-kafka honest chaos-short chaos soak fuzz test-oracle test-exports oracle test-trl test-vectors test-languages simulator bench check check-helm venv clean

# Set PYTHON to use another interpreter than the first of these that is new enough.
PYTHONS := python3.13 python3.12 python3.11 python3
# Another environment over it, for who runs targets of both at once: make VENV=.venv-gates OVER=.venv check. It has what
# the one below has, and only what is missing there is installed into it.
VENV := .venv
OVER :=
# Where the commands of both are.
WITH_COMMANDS = PATH="$(CURDIR)/$(BIN):$(if $(OVER),$(CURDIR)/$(OVER)/bin:)$$PATH"
BIN := $(VENV)/bin
HELM_VERSION := v4.3.1
HELM := .helm/bin/.$(HELM_VERSION)

help: ## list the targets
	@printf 'streamverify verifies Lean 4 proofs from a Kafka topic. The targets:\n\n'
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{ printf "%-18s %s\n", $$1, $$2 }'

demo: $(VENV)/.embedded ## verify the bundled proofs, with nothing else installed: under a minute
	@$(BIN)/streamverify demo

test: $(VENV)/.test ## unit, property and end-to-end tests; needs neither Lean nor Docker nor Java
	@$(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

test-kafka: $(VENV)/.test ## the end-to-end tests on a real Apache Kafka (Docker, or Java 17 and Maven)
	@$(BIN)/python tests/kafka_broker.py $(BIN)/python -m pytest tests/e2e --kafka -n 5 --dist loadscope

honest: $(VENV)/.test ## what the policy objects to in the .lean files of a folder, by rule: CORPUS=FOLDER
	@PYTHONPATH=tests $(BIN)/python -m honest $(or $(CORPUS),tests/honest)

fuzz: $(VENV)/.fuzz ## look for inputs that break a parser, for FUZZ_SECONDS (60) in all; Linux, Python 3.11 to 3.13
	@$(BIN)/python tests/fuzz/run.py $(or $(FUZZ_SECONDS),60)

test-oracle: $(VENV)/.oracle ## ask a real Lean 4.35 whether we read files as it does; Linux on x86-64 (docs/fuzzing.md)
	@$(BIN)/python -m pytest tests/oracle --oracle -n 3 --dist worksteal --ignore tests/oracle/test_exporting.py --ignore tests/oracle/test_tiers.py

test-exports: $(VENV)/.oracle .olean-export/bin/olean-export ## make the exports of tests/data/exports again, and take proofs above `audited`, with Lean 4.35 and an exporter that cargo installs
	@PATH="$(CURDIR)/.olean-export/bin:$$PATH" $(BIN)/python -m pytest tests/oracle/test_exporting.py tests/oracle/test_tiers.py --oracle

oracle: $(VENV)/.oracle ## the same on many files: ORACLE='--files 100000 --seed 7' goes to it (tests/oracle/search.py)
	@PYTHONPATH=tests $(BIN)/python -m oracle.search $(ORACLE)

test-trl: .venv-trl/.trl ## one step of GRPO by the real TRL on the CPU: 6 GB of packages, in .venv-trl
	@.venv-trl/bin/python -m pytest tests/training --trl -W default

test-vectors: $(VENV)/.test ## the examples in Java and for kcat against the vectors of schemas/: what CI runs of them
	@$(BIN)/python -m pytest tests/languages --languages -k 'vectors and (java or kcat)'

test-languages: $(VENV)/.test ## the examples in Java, Go, Rust and kcat: vectors, and proofs through a real Kafka
	@$(BIN)/python -m pytest tests/languages --languages

chaos-short: $(VENV)/.test ## faults for a minute and a half on real Kafka of one and, beside it, of three nodes: what CI runs
	@PYTHONPATH=tests $(BIN)/python -m chaos --short $(CHAOS)

chaos: $(VENV)/.test ## the long chaos suite, twenty minutes; CHAOS='--seconds 600 --seed 7' goes to it (tests/chaos/__main__.py)
	@PYTHONPATH=tests $(BIN)/python -m chaos $(CHAOS)

soak: $(VENV)/.test $(VENV)/.bench ## an hour of load on real Kafka with faults now and then, and a report in .soak: SOAK='--minutes 10'
	@PYTHONPATH=tests $(BIN)/python -m soak $(SOAK)

simulator: $(VENV)/.bench ## every scenario of the simulator: tables and plots of benchmarks/README.md; a quarter of an hour
	@$(BIN)/python -m benchmarks.simulator

bench: simulator ## the simulator and the pool's benchmarks, with plots, into benchmarks/results
	@$(BIN)/python -m benchmarks.pool affinity overhead
	@$(BIN)/python -m benchmarks.plots

docs: $(VENV)/.test ## the parts of docs/ that are made from the code
	@PYTHONPATH=tests $(BIN)/python -m handbook

site: $(VENV)/.docs build/site-assets/.fetched ## the documentation as a site, in build/site: links checked, nothing from other hosts; needs npm
	@$(WITH_COMMANDS) PYTHONPATH=tests NO_MKDOCS_2_WARNING=1 mkdocs build --strict
	@echo 'Open build/site/index.html in a browser.'

check-asyncapi: tests/asyncapi/node_modules/.installed ## AsyncAPI's own parser reads schemas/asyncapi.json; needs Node.js and npm
	@node tests/asyncapi/check.mjs schemas/asyncapi.json

transcripts: $(VENV)/.test ## what docs/commands.md shows, recorded anew on a real Apache Kafka; then make docs
	@PYTHONPATH=tests $(BIN)/python -m handbook.record

dashboards: $(VENV)/.test ## deploy/grafana/dashboards, from the tables of panels in deploy/grafana/boards
	@$(BIN)/python deploy/grafana/make.py

picture: $(VENV)/.dev ## docs/images/dashboard.png, from six minutes of workers on a real Kafka and a real Prometheus
	@PYTHONPATH=tests:deploy/grafana $(BIN)/python -m handbook.picture

check-alerts: $(VENV)/.test ## alerts and dashboards against promtool, the table of metrics, the runbook; needs Debian's prometheus
	@CI=true $(BIN)/python -m pytest -q tests/unit/deploy/test_alerts.py tests/unit/deploy/test_dashboards.py

# What is locked stays; UPGRADE=yes takes the newest of everything. For all Pythons and systems that we support.
lock: $(VENV)/.release ## deploy/*.lock: the libraries of the images with their hashes, by pyproject.toml; UPGRADE=yes takes newer ones
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade) \
	    --custom-compile-command 'make lock' --extra cache --extra gateway --extra otel --extra table -o deploy/requirements.lock pyproject.toml
	@$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' \
	    | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url $(if $(UPGRADE),--upgrade) \
	    --custom-compile-command 'make lock' -o deploy/build.lock -

licences: $(VENV)/.test ## docs/licences.md, of what is locked and installed; refuses a licence that is not allowed
	@PYTHONPATH=deploy $(BIN)/python -m release.licences

check-deploy: tests/dockerfilelint/node_modules/.installed ## dockerfilelint reads deploy/Dockerfile; needs Node.js and npm
	@tests/dockerfilelint/node_modules/.bin/dockerfilelint -c tests/dockerfilelint deploy/Dockerfile

check-images: ## build the images without Docker, upon a small Debian, and run them; Debian, root, buildah, mmdebstrap; some minutes
	@deploy/check_images.sh

release: $(VENV)/.test $(VENV)/.release ## build a release, try its wheel in an empty environment, SBOM; publishes nothing; FINAL=yes for a real one
	@PYTHONPATH=deploy:. $(BIN)/python -m release.make $(if $(FINAL),--final)

check: $(VENV)/.dev ## what a change must pass besides the tests: format, lint, types, layers
	$(WITH_COMMANDS) ruff format --check .
	$(WITH_COMMANDS) ruff check .
	$(WITH_COMMANDS) mypy
	$(WITH_COMMANDS) lint-imports
	$(WITH_COMMANDS) check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

check-helm: $(VENV)/.helm $(HELM) ## lint and render the chart deploy/helm with a real Helm, and hold it against the API of Kubernetes; needs Go
	@$(BIN)/python -m pytest tests/helm --helm -n 2

venv: $(VENV)/.dev ## .venv with everything that developing needs

clean: ## remove .venv, Kafka's jars and the caches
	rm -rf .venv .venv-* tests/asyncapi/node_modules tests/dockerfilelint/node_modules .images .olean-export .helm .kafka .fuzz .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One environment for all; each stamp says that the extra of its name is installed as pyproject.toml has it now.
with_dev := $(VENV)/.test $(VENV)/.embedded $(VENV)/.bench $(VENV)/.docs
with_fuzz := $(VENV)/.test $(VENV)/.embedded $(VENV)/.bench
with_helm := $(VENV)/.test $(VENV)/.embedded $(VENV)/.bench
with_oracle := $(VENV)/.test $(VENV)/.embedded $(VENV)/.bench
with_test := $(VENV)/.embedded $(VENV)/.bench
$(VENV)/.%: pyproject.toml $(VENV)/.made
	@echo 'Installing streamverify[$*] into $(VENV) ...'
	@$(BIN)/python -m pip --disable-pip-version-check install --quiet --no-input --editable '.[$*]'
	@touch $@ $(with_$*)

# Not optimised: half the time to compile, and the exports of the tests are small.
.olean-export/bin/olean-export:
	@echo 'Installing olean-export into .olean-export ...'
	@nice cargo install --quiet --debug --locked --version 0.4.0 --root .olean-export olean-export

# The module is Helm's own source, compiled here: Helm is in no registry as a program. The version is in the name, so
# that another one is built anew.
$(HELM):
	@command -v go > /dev/null || { echo 'make check-helm builds Helm, for which it needs Go 1.26 or newer.' >&2; exit 2; }
	@echo 'Installing Helm $(HELM_VERSION) into .helm ...'
	@GOBIN="$(CURDIR)/.helm/bin" GOFLAGS=-buildvcs=false nice go install helm.sh/helm/v4/cmd/helm@$(HELM_VERSION)
	@touch $@

# The scripts that the theme would load from another host, for diagrams and for a search in opened files: of these very
# bytes, out of npm's packages and without what those depend on.
build/site-assets/.fetched: tests/handbook/site-assets.sha256
	@command -v npm > /dev/null || { \
	    echo 'site needs npm (Debian, Ubuntu: apt-get install npm).' >&2; exit 2; }
	@mkdir -p build/site-assets
	@cd build/site-assets && npm pack --silent mermaid@11.17.2 iframe-worker@1.0.4 > /dev/null
	@cd build/site-assets && tar -xzOf mermaid-11.17.2.tgz package/dist/mermaid.min.js > mermaid.min.js
	@cd build/site-assets && tar -xzOf iframe-worker-1.0.4.tgz package/shim/index.js > iframe-worker.js
	@cd build/site-assets && rm -f *.tgz && sha256sum --check --quiet ../../tests/handbook/site-assets.sha256
	@touch $@

tests/dockerfilelint/node_modules/.installed: tests/dockerfilelint/package-lock.json
	@command -v npm > /dev/null || { \
	    echo 'check-deploy needs Node.js 18 or newer and npm (Debian, Ubuntu: apt-get install nodejs npm).' >&2; exit 2; }
	@echo 'Installing dockerfilelint into tests/dockerfilelint/node_modules ...'
	@cd tests/dockerfilelint && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# The very packages of the lock file, and none of their scripts.
tests/asyncapi/node_modules/.installed: tests/asyncapi/package-lock.json
	@command -v npm > /dev/null || { \
	    echo 'check-asyncapi needs Node.js 18 or newer and npm (Debian, Ubuntu: apt-get install nodejs npm).' >&2; exit 2; }
	@echo "Installing AsyncAPI's parser into tests/asyncapi/node_modules ..."
	@cd tests/asyncapi && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

# TRL brings PyTorch, and its packages do not go with those of the router: an environment of its own.
.venv-trl/.trl: pyproject.toml $(VENV)/.made
	@echo 'Installing streamverify[trl] into .venv-trl: 6 GB ...'
	@$(BIN)/python -m venv --clear .venv-trl
	@.venv-trl/bin/python -m pip --disable-pip-version-check install --quiet --no-input --editable '.[trl]'
	@touch $@

# A half-made environment has no stamp and is made anew; so is one whose Python is gone, or that was made in another
# folder, whose path is in its commands.
ifneq ($(shell $(BIN)/python -c pass 2>/dev/null && cat $(VENV)/.made),$(CURDIR))
.PHONY: $(VENV)/.made
endif
$(VENV)/.made:
	@found=; usable=; \
	for python in $(or $(PYTHON),$(PYTHONS)); do \
	    "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    found=$$python; \
	    if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then usable=$$python; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	    echo 'streamverify needs Python 3.11 or newer; looked for: $(or $(PYTHON),$(PYTHONS)).' >&2; \
	    echo 'Install it (Debian, Ubuntu: apt-get install python3 python3-venv), or name it: make PYTHON=/path/to/python3' >&2; \
	    exit 2; \
	fi; \
	if [ -z "$$usable" ]; then \
	    echo "$$found cannot make a virtual environment: its modules venv and ensurepip are not installed." >&2; \
	    echo 'Install them (Debian, Ubuntu: apt-get install python3-venv) and run make again.' >&2; \
	    exit 2; \
	fi; \
	echo "Making $(VENV) with $$usable ..."; \
	"$$usable" -m venv --clear $(VENV)
	@$(if $(OVER),printf '%s\n' '$(CURDIR)/$(OVER)'/lib/python3*/site-packages > "$$(echo $(VENV)/lib/python3*/site-packages)/over.pth")
	@printf '%s\n' '$(CURDIR)' > $@
