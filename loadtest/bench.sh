#!/usr/bin/env bash
# `make bench`: measures the server against a bare echo, a plain row-locking service and one that trusts
# Redis alone, in turn on the same machine, and prints the ratios. What each line means: README.md.
#
#   ROUNDS=5        how often each line is measured
#   EACH=3          seconds that it is measured for
#   VOUCHERS=100000 above 100,000, everything is measured on 100,000 and compared with so many more
#   CHECK=1         exit code 1 unless every goal is met on rounds that nothing disturbed
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"
. "$root/loadtest/neighbours.sh"

rounds=${ROUNDS:-5} each=${EACH:-3} vouchers=${VOUCHERS:-100000}
small=$((vouchers < 100000 ? vouchers : 100000))
dir=${LOAD_DIR:-$root/.dev/bench}
leave=wipe
results=$dir/results.jsonl
# A run that other programs disturbed is made again, so often in all.
attempts=3
check=()
[[ ${CHECK:-} != 1 ]] || check=(--check)

build
# What the stores hold changes how fast they are: every bench begins with empty ones.
mkdir -p "$dir"
services wipe
start_world

wait_listening() {
    for _ in $(seq 300); do
        is_free "${1#*:}" || return 0
        sleep 0.1
    done
    die "nothing listens at $1"
}

echo_at=127.0.0.1:$(free_port)
start echo "$root/target/release/examples/echo" --listen "$echo_at"
echo_pid=$pid
plain_at=127.0.0.1:$(free_port)
"$root/target/release/examples/plain" --load "$small" --load-only
start plain "$root/target/release/examples/plain" --listen "$plain_at"
plain_pid=$pid
redis_only_at=127.0.0.1:$(free_port)
start redis-only "$root/target/release/examples/redis-only" --listen "$redis_only_at" --load "$small"
redis_only_pid=$pid
for at in "$echo_at" "$plain_at" "$redis_only_at"; do wait_listening "$at"; done

say "making $small vouchers"
seq -f 'PLAIN-%06.0f' 1 "$small" >"$dir/plain.codes"
"$load" prepare --vouchers "$small" --out "$dir/small"
if ((vouchers > small)); then
    say "making $vouchers more"
    "$load" prepare --vouchers "$vouchers" --out "$dir/large"
fi
prepare_neighbour 100000
: >"$results"

# Again whenever a program starts anew.
look_up_pids() {
    pids=server=$server,echo=$echo_pid,plain=$plain_pid,redis-only=$redis_only_pid
    pids+=,redis=$(redis_pid),postgres=$(postgres_pid)
}
run() { "$load" run --pids "$pids" --attempts "$attempts" --label "$1" --seconds "$each" "${@:2}"; }
keep() { run "$@" >>"$results"; }
product() {
    keep "$@" --aftermath --codes "$dir/small/codes" --hot-code "$(<"$dir/small/hot")" --poor-code "$(<"$dir/small/poor")"
}
large() { keep "$@" --aftermath --codes "$dir/large/codes"; }
plain() { keep "$@" --url "http://$plain_at" --codes "$dir/plain.codes"; }

# Asks for each voucher once, so that stores and server have seen it before anything else counts. There is
# one first time only.
first() { "$load" run --pids "$pids" --label "$1" --scenario validate --sweep --codes "$2" >>"$results"; }

# What Postgres would otherwise catch up on during the next lines, whoever they measure.
tidy() { psql "$DATABASE_URL" -qc 'VACUUM ANALYZE' -c CHECKPOINT; }

# Measures beside campaigns that are generated without a pause.
beside() {
    start generate "$load" generate --seconds $((12 * (each + 1)))
    local generator=$pid
    product validate-beside --scenario validate
    product redeem-beside --scenario redeem
    kill -0 "$generator" 2>/dev/null || die 'generation was over before the measurement'
    kill "$generator"
    wait "$generator"
    tidy
}

# A server without memory and an empty Redis meet 256 machines at once. Postgres stays, or no voucher would.
cold() {
    local attempt
    for attempt in $(seq "$attempts"); do
        kill "$server"
        wait "$server" || true
        redis-cli -u "$REDIS_TCP_URL" flushall >/dev/null
        services down redis
        services up redis
        start_server
        wait_ready
        look_up_pids
        "$load" run --pids "$pids" --label "$1" --scenario "$2" --seconds "$each" --warmup 0 --connections 256 \
            --aftermath --codes "$dir/small/codes" >"$dir/cold.json"
        grep -q '"spoilt":true' "$dir/cold.json" || break
    done
    cat "$dir/cold.json" >>"$results"
}

look_up_pids
say 'warming up'
first first "$dir/small/codes"
((vouchers == small)) || first first-large "$dir/large/codes"
run warm --scenario plain-redeem --url "http://$plain_at" --codes "$dir/plain.codes" >/dev/null
tidy

for round in $(seq "$rounds"); do
    say "round $round of $rounds"
    keep echo --scenario echo --url "http://$echo_at"
    product validate --scenario validate
    product validate-lock --scenario validate-lock
    plain plain --scenario plain-redeem
    product redeem --scenario redeem
    keep redis-only --scenario plain-redeem --url "http://$redis_only_at" --codes "$dir/plain.codes"
    product redeem-256 --scenario redeem --connections 256
    plain plain-hot --scenario plain-hot
    product redeem-hot --scenario redeem-hot
    keep echo-500 --scenario echo --rate 500 --url "http://$echo_at"
    product validate-500 --scenario validate --rate 500
    plain plain-500 --scenario plain-redeem --rate 500
    product redeem-500 --scenario redeem --rate 500
    product mixed --scenario mixed
    if ((vouchers > small)); then
        large validate-large --scenario validate
        large redeem-large --scenario redeem
    fi
    beside
    neighbours
done

for round in $(seq "$rounds"); do
    say "cold start $round of $rounds"
    cold validate-cold validate
    cold redeem-cold redeem
done

say "all numbers: $dir/results.json"
"$load" table "$results" --json "$dir/results.json" "${check[@]}"
