# Scrip in one word each. Needs Rust and a C compiler; Postgres and Redis are seen to.

.PHONY: run test bench lint openapi planted clean-dev

# Try it: starts everything, loads the demo, prints what to paste. PORT=8081 make run
run:
	@dev/run.sh

# Every test, on stores of their own.
test:
	@dev/test.sh

# How fast it is, as ratios to simpler services on this machine. CHECK=1 fails unless every goal is met;
# ROUNDS, EACH (seconds a run) and VOUCHERS may be set: loadtest/README.md.
bench:
	@loadtest/bench.sh

# What must be so before anything is merged. Advisories, licences and sources of dependencies are checked where
# cargo-deny is there (deny.toml).
lint:
	cargo fmt --check
	cargo clippy --all-targets --features failpoints -- -D warnings
	@if command -v cargo-deny >/dev/null; then cargo deny check; else \
		echo 'lint: dependencies are not checked; for that: cargo install cargo-deny --locked' >&2; fi

# The OpenAPI document, for those who generate clients.
openapi:
	@cargo run --quiet --features failpoints --bin scrip -- openapi

# Breaks one guarantee at a time in a copy of the tree, and counts how many of those bugs the tests catch.
planted:
	@tests/planted_bugs.py

# Forgets the demo: its data, its secrets and its stores.
clean-dev:
	@if [ -d .dev ]; then dev/services.sh wipe .dev; rm -rf .dev; fi
