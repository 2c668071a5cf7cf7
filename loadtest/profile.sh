#!/usr/bin/env bash
# What the server's processor time goes to while it validates, locks or redeems.
#
#   loadtest/profile.sh [scenario] [seconds]     validate and 5 seconds by default
#
# Needs perf (Debian: linux-perf). Samples by the clock, with whole stacks, while 64 connections ask.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

scenario=${1:-validate} seconds=${2:-5}
command -v perf >/dev/null || die 'please install perf  (Debian: sudo apt-get install linux-perf)'

build
start_world
prepare_vouchers
pids=server=$server,redis=$(redis_pid),postgres=$(postgres_pid)
shoot() {
    "$load" run --scenario "$scenario" --pids "$pids" --codes "$LOAD_CODES" --hot-code "$(<"$LOAD_HOT")" \
        --poor-code "$(<"$LOAD_POOR")" --seconds "$seconds"
}

# Once as it is, for the times; once more under perf, for the shares.
shoot >"$dir/profile.json"
sed 's/.*"cpu_us_per_request":{\([^}]*\)}.*/CPU µs a request: \1/; s/"//g; s/,/, /g' "$dir/profile.json"
each=$(sed 's/.*"server":\([0-9.]*\).*/\1/' "$dir/profile.json")
shoot >/dev/null &
perf record --quiet --event cpu-clock --freq 1500 --call-graph dwarf,16384 --pid "$server" --output "$dir/perf.data" \
    -- sleep "$seconds" >/dev/null
wait $!
printf '\n%s: where the server spends its %s µs\n' "$scenario" "$each"
perf script --input "$dir/perf.data" --no-inline --fields comm,ip,sym,dso 2>/dev/null | python3 "$root/loadtest/profile.py" "$each"
