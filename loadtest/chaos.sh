#!/usr/bin/env bash
# Kills the server, Redis and Postgres in turn under load, then checks that every answer was kept.
#
#   loadtest/chaos.sh [seconds]     90 by default
#
# Machines validate, redeem and ask again under the same order until they are answered, and write down
# what they were told. Campaign and gift are sized to be spent before the end, so that limits are met.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

seconds=${1:-90}
pause=5 # between faults

build
start_world
"$load" prepare --out "$dir" --vouchers $((seconds * 250 / 24)) --limit 20 --hot-balance $((seconds * 200 * 2 / 3))

record() {
    "$load" run --record "$dir/$1.ledger" --seconds "$seconds" --warmup 0 --connections 32 --codes "$dir/codes" \
        --hot-code "$(<"$dir/hot")" --poor-code "$(<"$dir/poor")" --scenario "$1" --rate "$2" >"$dir/$1.json" &
    loads+=("$!")
}
loads=()
record mixed 1000
record redeem-hot 200

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
        'all killed') kill_server; services kill redis; services kill postgres; sleep 1; services up; start_server ;;
    esac
}

faults=('server killed' 'Redis killed' 'Redis emptied' 'Postgres killed' 'all killed')
end=$((SECONDS + seconds - 10))
count=0
while ((SECONDS < end)); do
    sleep "$pause"
    fault "${faults[count % ${#faults[@]}]}"
    count=$((count + 1))
    back=$SECONDS
    wait_ready
    say "ready again after $((SECONDS - back)) s"
done

for pid in "${loads[@]}"; do wait "$pid"; done
cat "$dir/mixed.json" "$dir/redeem-hot.json"
say "$count faults; checking"
"$scrip" verify
"$load" check "$dir/mixed.ledger" "$dir/redeem-hot.ledger"
say 'every answer was kept'
