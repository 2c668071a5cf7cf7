#!/usr/bin/env bash
# `make test`: every test, on a Postgres and a Redis of their own that are gone afterwards.
# Arguments go to `cargo test`: dev/test.sh --test it -- races
set -euo pipefail
cd "$(dirname "$0")/.."

# Tests that kill stores start some of their own below TMPDIR, and can't stop them when they are ended.
wipe_all() {
    trap '' INT TERM
    local lock
    for lock in .dev/test/tmp/*/lock; do
        [[ ! -f $lock ]] || dev/services.sh wipe "${lock%/lock}"
    done
    dev/services.sh wipe .dev/test
    rm -rf .dev/test
}
trap wipe_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

mkdir -p .dev/test/tmp
dev/services.sh up .dev/test
. .dev/test/env
export SCRIP_TEST_DATABASE_URL=$DATABASE_URL SCRIP_TEST_REDIS_URL=$REDIS_URL TMPDIR=$PWD/.dev/test/tmp
# Most of a test is waiting: for a store, or for a process that it has killed to be back.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(getconf _NPROCESSORS_ONLN)))}
# Everything that holds a test; examples without one are only looked at, by `make lint`.
(($#)) || set -- --lib --tests --example load
# The build of `make run`: what both depend on is compiled once.
cargo test --features failpoints "$@" </dev/null
