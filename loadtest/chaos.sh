#!/usr/bin/env bash
# Breaks the server, Redis and Postgres in turn under load, then checks that every answer was kept.
#
#   loadtest/chaos.sh [seconds]     150 by default; PROFILE=dev builds and runs the dev profile
#
# Machines validate, redeem and ask again under the same order until they are answered, and write down
# what they were told. Campaign and gift are sized to be spent before the end, so that limits are met.
# At first commits wait for a standby, and whatever happens, nothing may be lost. At the end they do not,
# and a standby takes over that has not everything: what Postgres itself lost is told apart from the rest.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

seconds=${1:-150}
pause=5 # between faults
with_loss=15 # of the seconds

build --example=load
leave=wipe
services wipe
start_world
"$load" prepare --out "$dir" --vouchers $((seconds * 250 / 24)) --limit 20 --hot-balance $((seconds * 200 * 2 / 3))

record() {
    "$load" run --record "$dir/$1-$4.ledger" --seconds "$3" --warmup 0 --connections 32 --codes "$dir/codes" \
        --hot-code "$(<"$dir/hot")" --poor-code "$(<"$dir/poor")" --scenario "$1" --rate "$2" >"$dir/$1-$4.json" &
    loads+=("$!")
}

start_loads() {
    loads=()
    record mixed 1000 "$1" "$2"
    record redeem-hot 200 "$1" "$2"
}

wait_for_loads() {
    for pid in "${loads[@]}"; do wait "$pid"; done
}

sql() { psql "$DATABASE_URL" -qtAX -c "$1"; }

# Has commits wait for the standby, or for nobody.
replicate() {
    sql "ALTER SYSTEM SET synchronous_standby_names = '$1'"
    sql 'SELECT pg_reload_conf()' >/dev/null
}

new_standby() {
    services standby
    replicate 'ANY 1 (standby)'
}

ready_says() { is_ready && grep -q "$1" "$dir/ready.json"; }

# Waits until ready says so, or says no at all.
until_ready_says() {
    for _ in $(seq 300); do
        if ready_says "$1"; then return; fi
        sleep 0.1
    done
    die "ready does not say $1 within 30 s: $(cat "$dir/ready.json")"
}

kill_server() {
    kill -9 "$server"
    wait "$server" 2>/dev/null || true
}

fault() {
    say "$1"
    case $1 in
        'server killed') kill_server; sleep 1; start_server ;;
        'Redis killed') services kill redis; sleep 1; services up redis ;;
        'Redis emptied') redis-cli -u "$REDIS_TCP_URL" flushall >/dev/null ;;
        'Postgres killed') services kill postgres; sleep 1; services up postgres ;;
        'Postgres frozen') services freeze postgres; sleep 8; services thaw postgres ;;
        'standby frozen') services freeze standby; until_ready_says reduced; sleep 5; services thaw standby ;;
        'waits for the standby cancelled')
            services down standby
            until_ready_says reduced
            for _ in $(seq 10); do
                sql "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'" >/dev/null
                sleep 0.5
            done
            # What is visible now, and on no standby, is lost.
            services failover
            new_standby
            ;;
        'standby promoted') services failover; new_standby ;;
        'all killed') kill_server; services kill redis; services kill postgres; sleep 1; services up; start_server ;;
    esac
}

new_standby
until_ready_says replicated
faults=('server killed' 'Postgres frozen' 'Redis killed' 'standby frozen' 'Redis emptied' 'standby promoted'
    'Postgres killed' 'waits for the standby cancelled' 'all killed')
start_loads $((seconds - with_loss)) kept
end=$((SECONDS + seconds - with_loss - 25))
count=0
while ((SECONDS < end)); do
    sleep "$pause"
    fault "${faults[count % ${#faults[@]}]}"
    count=$((count + 1))
    back=$SECONDS
    until_ready_says replicated
    say "ready again after $((SECONDS - back)) s"
done
wait_for_loads
cat "$dir/mixed-kept.json" "$dir/redeem-hot-kept.json"
say "$count faults under synchronous replication; checking"
"$scrip" verify
"$load" check --validate "$dir/mixed-kept.ledger" "$dir/redeem-hot-kept.ledger"

say 'standby promoted, without the last seconds'
replicate ''
services down standby
start_loads "$with_loss" lossy
sleep $((with_loss / 2))
services failover
wait_ready
wait_for_loads
services lost
"$scrip" verify
"$load" check --validate --earlier-url "${DATABASE_URL/port=*/port=$(<"$dir/lost.port")}" \
    "$dir/mixed-lossy.ledger" "$dir/redeem-hot-lossy.ledger"
say 'every answer was kept, but for what Postgres lost'
