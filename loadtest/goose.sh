#!/usr/bin/env bash
# The voucher verbs under Goose, a load generator of others, against a server of this build.
#
#   loadtest/goose.sh [scenario] [seconds] [rate]
#
# Scenarios: validate, validate-lock, redeem, redeem-hot, mixed (the default); 10 seconds by default. With
# a rate, requests are due at fixed instants; without, each connection asks as soon as it is answered.
# Fails if an answer was not as meant. LOAD_CONNECTIONS: 64 by default.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

build
(cd "$root/loadtest/goose" && cargo build --quiet --release)
start_world
prepare_vouchers
users=${LOAD_CONNECTIONS:-64}
export LOAD_SCENARIO=${1:-mixed} LOAD_RATE=${3:-}
"$root/loadtest/goose/target/release/scrip-goose" --users "$users" --increase-rate "$users" --run-time "${2:-10}s" \
    --co-mitigation disabled --no-telnet --no-websocket --no-transaction-metrics --no-scenario-metrics --quiet
