# Two commands matter: make demo, make test. Everything installs into .venv; nothing else is touched.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed-dev

.PHONY: demo viewer test check format bench soak mutants install clean help

help:
	@echo "make demo    start Veil with its embedded archive, send it DICOM, show what arrives (ONCE=1 to stop after)"
	@echo "make viewer  fetch the OHIF viewer into build/viewer, for make demo and http.viewer_dir (needs npm, or TARBALL=file)"
	@echo "make test    the whole test suite"
	@echo "make check   format, lint, types, layers"
	@echo "make bench   measure, print a table, write bench/results.json"
	@echo "make soak    the long runs: 300 kills, 200 000 mutated data sets and DIMSE sessions, peers at fault, 3 000 code streams, 20 000 requests, every canary, a fault at each call, 10 000 tamperings, 1 000 trials of each fault of the audit disk, 200 mishaps, 100 freezes of the disk (hours, as root)"
	@echo "make mutants break the gate and the profile on purpose and see whether a test notices"

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

install: $(STAMP)

demo: $(STAMP)
	$(BIN)/veil demo $(if $(ONCE),--once,) $(ARGS)

viewer: build/viewer/index.html

# npm only carries the file; veil viewer unpacks it if it is, byte for byte, the one that the lock names.
build/viewer/index.html: proxy/commands/viewer.lock.json proxy/commands/viewer.py | $(STAMP)
	@mkdir -p build/npm
	$(if $(TARBALL),cp $(TARBALL) build/npm/package.tgz,cd build/npm && mv "$$(npm pack --silent --ignore-scripts "$$($(CURDIR)/$(BIN)/veil viewer)")" package.tgz)
	$(BIN)/veil viewer build/npm/package.tgz --into build/viewer

test: $(STAMP)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q tests/test_layers.py

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)
	$(BIN)/python -m bench $(ARGS)

soak: $(STAMP)
	VEIL_KILLS=300 $(BIN)/python -m pytest --timeout 7200 tests/system/test_kill.py tests/peers/test_system_kill.py tests/store/test_crash.py
	VEIL_FUZZ=200000 $(BIN)/python -m pytest --timeout 7200 tests/deid/test_scanner_fuzz.py
	VEIL_REQUESTS=20000 $(BIN)/python -m pytest --timeout 7200 tests/system/test_openapi_fuzz.py
	VEIL_STREAMS=3000 $(BIN)/python -m pytest --timeout 7200 tests/deid/pixels/test_fuzz_streams.py
	VEIL_OBJECTS=all VEIL_CANARIES=all $(BIN)/python -m pytest --timeout 7200 tests/peers/test_dciodvfy.py tests/deid/test_canaries.py
	VEIL_PDUS=200000 $(BIN)/python -m pytest -s --timeout 7200 tests/dimse/test_pdu_fuzz.py
	VEIL_FAULT_SECONDS=10 $(BIN)/python -m pytest -s --timeout 7200 tests/dimse/test_faults.py
	VEIL_FAULTS=all $(BIN)/python -m pytest --timeout 30000 tests/deid/test_faults.py
	VEIL_TAMPERINGS=10000 $(BIN)/python -m pytest --timeout 7200 tests/audit/test_tampering.py
	VEIL_TRIALS=1000 $(BIN)/python -m pytest -s --timeout 7200 tests/audit/test_trials.py tests/audit/test_sink_trials.py tests/peers/test_rsyslog.py
	VEIL_MISHAPS=200 $(BIN)/python -m pytest -s --timeout 7200 tests/system/test_completeness.py
	$(BIN)/python -m tests.system.frozen 100  # as root: it mounts a file system

mutants: $(STAMP)
	$(BIN)/python tests/mutation/run.py $(ARGS)

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache
