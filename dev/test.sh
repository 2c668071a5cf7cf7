#!/usr/bin/env bash
# `make test`: every test, on a Postgres and a Redis of their own that are gone afterwards.
# Arguments go to `cargo test`: dev/test.sh --test it -- races
set -euo pipefail
cd "$(dirname "$0")/.."

trap 'dev/services.sh wipe .dev/test' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

dev/services.sh up .dev/test
. .dev/test/env
export SCRIP_TEST_DATABASE_URL=$DATABASE_URL SCRIP_TEST_REDIS_URL=$REDIS_URL
# In release, as `make run` builds: what both depend on is compiled once.
cargo test --release --features failpoints "$@" </dev/null
