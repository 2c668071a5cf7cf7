#!/usr/bin/env bash
# How the cost of a validate and a redeem grows: measured point by point, against a bare echo in the same
# round, and drawn. Numbers go to loadtest/growth/<question>.csv, plots to docs/growth/<question>.svg.
#
#   loadtest/growth.sh [question...]    all of these by default
#
#   vouchers     10^4 to 10^7 vouchers; also `memory`: bytes that a voucher takes
#   campaigns    100,000 vouchers of 1 to 10^5 campaigns
#   candidates   1 to 8 vouchers that share a code
#   servers      1 to 3 servers on the same stores
#   logs         a month with 0 to 10^7 redemptions and as many validations
#   plots        measures nothing, draws what is there
#
# GROWTH_MAX leaves out larger numbers, GROWTH_ROUNDS (5) and GROWTH_SECONDS (2) say how long to measure,
# GROWTH_CSV and GROWTH_SVG where results go. Where several share a machine, GROWTH_LOCK names a file
# that is locked while measuring, and shared while preparing what takes long.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

(($#)) || set -- vouchers campaigns candidates servers logs
max=${GROWTH_MAX:-10000000} rounds=${GROWTH_ROUNDS:-5} seconds=${GROWTH_SECONDS:-2}
csv=${GROWTH_CSV:-$root/loadtest/growth} svg=${GROWTH_SVG:-$root/docs/growth}
header=question,x,scenario,metric,value,lowest,highest,runs,disturbed
# Codes that are asked for: fewer than a server keeps in memory.
sample=100000
results=$dir/results.jsonl

[[ -z ${GROWTH_LOCK:-} ]] || exec 8>>"$GROWTH_LOCK"
# Lets go first, for whoever waits to measure.
prepare() { [[ -z ${GROWTH_LOCK:-} ]] || { flock -u 8; flock -s 8; }; }
quiet() { [[ -z ${GROWTH_LOCK:-} ]] || flock -x 8; }

ask() { psql "$DATABASE_URL" -qAt -v ON_ERROR_STOP=1 "$@"; }
redis_bytes() { redis-cli -u "$REDIS_TCP_URL" info memory | tr -d '\r' | sed -n 's/^used_memory://p'; }

# Stores of its own for each question, and no server yet that could remember anything.
open_world() {
    services wipe
    start_world
    echo_at=127.0.0.1:$(free_port)
    start echo "$root/target/release/examples/echo" --listen "$echo_at"
    echo_pid=$pid
    servers=("$server")
    : >"$results"
}

close_world() {
    prepare
    stop_servers
    kill "$echo_pid"
    wait "$echo_pid" || true
    services wipe
}

stop_servers() {
    kill "${servers[@]}"
    wait "${servers[@]}" || true
    servers=() urls=()
}

add_server() {
    SCRIP_LISTEN=127.0.0.1:$(free_port)
    SCRIP_URL=http://$SCRIP_LISTEN
    start_server
    wait_ready
    servers+=("$server")
    urls+=("$SCRIP_URL")
}

# Makes vouchers, through the API, until there are so many; a campaign holds a million at most.
grow_to() {
    local have more
    have=$(ask -c "SELECT count(*) FROM voucher WHERE prefix = 'LOAD'")
    # It would go on beside whoever measures in between; `warm_up` does it for all of them.
    ask -c 'ALTER TABLE voucher SET (autovacuum_enabled = false)'
    while ((have < $1)); do
        prepare
        more=$(($1 - have < 1000000 ? $1 - have : 1000000))
        say "making $more vouchers"
        "$load" prepare --vouchers "$more" --out "$dir"
        have=$((have + more))
    done
    ask -c 'ALTER TABLE voucher RESET (autovacuum_enabled)'
}

# Codes spread evenly over all vouchers.
draw_codes() {
    ask -c "COPY (SELECT code FROM voucher WHERE prefix = 'LOAD' ORDER BY random() LIMIT $sample) TO STDOUT" >"$dir/codes"
}

# As after a restart: tables in order, Redis empty, new servers. Then each code is asked for once.
warm_up() {
    local count=$1 url
    stop_servers
    redis-cli -u "$REDIS_TCP_URL" flushall >/dev/null
    ask -c 'VACUUM ANALYZE' -c CHECKPOINT
    for _ in $(seq "$count"); do add_server; done
    redis_empty=$(redis_bytes)
    for url in "${urls[@]}"; do
        "$load" run --scenario validate --sweep --aftermath --url "$url" --codes "$dir/codes" >"$dir/sweep.json"
    done
    redis_full=$(redis_bytes)
}

run() { "$load" run --aftermath --pids "$pids" --attempts 3 --seconds "$seconds" --label "$x $1" --scenario "$1" "${@:2}" >>"$results"; }

# Measures at x, with so many servers.
point() {
    x=$1
    local count=${2:-1} pids url
    warm_up "$count"
    pids=echo=$echo_pid,redis=$(redis_pid),postgres=$(postgres_pid)$(printf ',server=%s' "${servers[@]}")
    url=$(IFS=,; echo "${urls[*]}")
    quiet
    say "$question: $x"
    for _ in $(seq "$rounds"); do
        run echo --url "http://$echo_at"
        for scenario in validate validate-lock redeem; do
            run "$scenario" --url "$url" --codes "$dir/codes"
        done
    done
}

measure_vouchers() {
    echo "$header" >"$dir/memory.csv"
    local vouchers
    for vouchers in 10000 100000 1000000 10000000; do
        ((vouchers <= max)) || continue
        grow_to "$vouchers"
        draw_codes
        point "$vouchers"
        ask -v x="$vouchers" -v redis_bytes=$((redis_full - redis_empty)) -v loaded="$(wc -l <"$dir/codes")" \
            -f "$root/loadtest/growth/memory.sql" >>"$dir/memory.csv"
    done
    cp "$dir/memory.csv" "$csv/memory.csv"
}

measure_campaigns() {
    grow_to $((max < 100000 ? max : 100000))
    draw_codes
    local campaigns
    for campaigns in 1 10 1000 100000; do
        ((campaigns <= max)) || continue
        ask -v x="$campaigns" -f "$root/loadtest/growth/campaigns.sql"
        point "$campaigns"
    done
}

measure_candidates() {
    grow_to $((max < 20000 ? max : 20000))
    draw_codes
    local candidates
    for candidates in 1 2 4 8; do
        ask -v x="$candidates" -f "$root/loadtest/growth/candidates.sql"
        point "$candidates"
    done
}

measure_servers() {
    grow_to $((max < 100000 ? max : 100000))
    draw_codes
    local count
    for count in 1 2 3; do point "$count" "$count"; done
}

measure_logs() {
    grow_to $((max < 100000 ? max : 100000))
    draw_codes
    local entries
    for entries in 0 1000000 10000000; do
        ((entries <= max)) || continue
        if ((entries > 0)); then
            prepare
            say "filling up to $entries"
            ask -v x="$entries" -f "$root/loadtest/growth/logs.sql"
        fi
        point "$entries"
    done
}

draw() { (cd "$root/loadtest/plots" && cargo run --quiet --release -- "$csv" "$svg"); }

mkdir -p "$csv" "$svg"
prepare
for question; do
    case $question in
        vouchers | campaigns | candidates | servers | logs)
            [[ -n ${built:-} ]] || build
            built=yes
            open_world
            "measure_$question"
            ask -v question="$question" -f "$root/loadtest/growth/points.sql" <"$results" >"$csv/$question.csv"
            close_world
            ;;
        plots) ;;
        *) die "no such question: $question" ;;
    esac
done
draw
