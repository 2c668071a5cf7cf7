#!/usr/bin/env bash
# Measures the server against a bare echo and a plain row-locking service, in turn on the same machine,
# and prints the ratios. What each means: README.md.
#
#   loadtest/compare.sh [rounds] [seconds]     5 rounds of 3 s each by default
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

rounds=${1:-5} seconds=${2:-3}
vouchers=${LOAD_VOUCHERS:-100000}

build
start_world

echo_at=127.0.0.1:$(free_port)
start echo "$root/target/release/examples/echo" --listen "$echo_at"
echo_pid=$pid
plain_at=127.0.0.1:$(free_port)
"$root/target/release/examples/plain" --load "$vouchers" --load-only
start plain "$root/target/release/examples/plain" --listen "$plain_at"
plain_pid=$pid

say "making $vouchers vouchers"
seq -f 'PLAIN-%06.0f' 1 "$vouchers" >"$dir/plain.codes"
"$load" prepare --vouchers "$vouchers" --out "$dir"

pids=server=$server,echo=$echo_pid,plain=$plain_pid,redis=$(redis_pid),postgres=$(postgres_pid)
results=$dir/results.jsonl
: >"$results"

run() { "$load" run --pids "$pids" --attempts "$attempts" --label "$1" --seconds "$seconds" "${@:2}" >>"$results"; }
product() {
    run "$@" --codes "$dir/codes" --hot-code "$(<"$dir/hot")" --poor-code "$(<"$dir/poor")"
}
plain() { run "$@" --url "http://$plain_at" --codes "$dir/plain.codes"; }

# Both stores and the server see each voucher once before anything counts.
say 'warming up'
attempts=1
product warm --scenario validate --sweep
plain warm --scenario plain-redeem
: >"$results"
attempts=3

for round in $(seq "$rounds"); do
    say "round $round of $rounds"
    run echo --scenario echo --url "http://$echo_at"
    product validate --scenario validate
    product validate-lock --scenario validate-lock
    plain plain --scenario plain-redeem
    product redeem --scenario redeem
    product redeem-256 --scenario redeem --connections 256
    plain plain-hot --scenario plain-hot
    product redeem-hot --scenario redeem-hot
    plain plain-500 --scenario plain-redeem --rate 500
    product redeem-500 --scenario redeem --rate 500
    product mixed --scenario mixed
done

"$load" table "$results" --json "$dir/results.json"
say "all numbers: $dir/results.json"
