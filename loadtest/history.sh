#!/usr/bin/env bash
# What years of sales cost: taken in against a bare COPY of the same rows, and asked for against the same
# question put to the raw table, as ratios. Also whether memory stays flat while a large CSV streams.
#
#   loadtest/history.sh [sales] [rounds]    10000000 sales and 5 rounds of questions by default
#
# All that is printed is in <dir>/history.json too, and plans of what was asked are in <dir>/plans.log.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

sales=${1:-10000000} rounds=${2:-5} machines=500 sheets=10
key=scrip_$(printf '%040d' 0)
large=${key}002

build
mkdir -p "$dir"
trap stop_world EXIT
trap 'exit 130' INT TERM
services up
# shellcheck source=/dev/null
. "$dir/env"
export REDIS_URL SCRIP_SIGNING_SECRET=of-the-load-test-alone-$(printf '%040d' 0)
psql "$DATABASE_URL" -qc 'DROP DATABASE IF EXISTS history' -c 'CREATE DATABASE history'
export DATABASE_URL=${DATABASE_URL/\/scrip\?//history?}
sockets=${DATABASE_URL#*host=}
log=$(dirname "${sockets%%&*}")/postgres/log
ask() { psql "$DATABASE_URL" -qAt -v ON_ERROR_STOP=1 "$@"; }
"$scrip" migrate >>"$dir/history.log" 2>&1

say "making $sales sales of $machines machines"
ask -v machines=$machines -v key="$key" -f "$root/loadtest/fleet.sql"
ask -v machines=$machines -v sales="$sales" -f "$root/loadtest/history.sql" >/dev/null

# A line of what was measured, printed and kept.
lines=()
told() {
    printf '%-58s %s\n' "$1" "$2"
    lines+=("$(printf '{"name": "%s", "ratio": %s}' "$1" "$2")")
}

clock() { date +%s%N; }
# The seconds that a command takes.
seconds() {
    local from
    from=$(clock)
    "$@" >"$dir/answer" || die "failed: $*"
    awk -v ns=$(($(clock) - from)) 'BEGIN { printf "%.3f\n", ns / 1e9 }'
}
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }
ratio() { awk -v one="$1" -v other="$2" 'BEGIN { printf "%.2f", one / other }'; }

columns='remote, machine, location, user_group, time_zone, occurred_at, product, name, internal_ref, price, original_price, currency'
sheet="n, machine, location, user_group, time_zone, occurred_at, product, name, internal_ref, price, price, currency"
load() { ask -c "COPY $1 ($columns) FROM STDIN" <"$dir/sheet"; }
say 'loading'
for part in $(seq $sheets); do
    ask -c "COPY (SELECT $sheet FROM sheet WHERE n > $((sales / sheets * (part - 1))) AND n <= $((sales / sheets * part)) ORDER BY n) TO STDOUT" >"$dir/sheet"
    bare=$(seconds load bare_transaction)
    kept=$(seconds load revenue_transaction)
    ratio "$kept" "$bare" >>"$dir/loads"
    echo >>"$dir/loads"
done
told 'load with sums / bare COPY, median of sheets' "$(median <"$dir/loads")"
rm -f "$dir/loads"

say 'payments and events'
ask -c "INSERT INTO payment_transaction (revenuetransaction, machine, location, user_group, time_zone, occurred_at, method, type, price, currency)
        SELECT id, machine, location, user_group, time_zone, occurred_at, CASE WHEN id % 3 = 0 THEN 'card' ELSE 'cash' END,
               CASE WHEN id % 3 = 0 THEN 'card' ELSE 'cash' END, price, currency FROM revenue_transaction WHERE id % 5 = 0"
ask -c "INSERT INTO machine_log (remote, machine, location, user_group, time_zone, occurred_at, code, type, duration, resolved_at)
        SELECT n, machine, location, user_group, time_zone, occurred_at, 'E' || n % 40, 1 + n % 3, n % 5000, occurred_at FROM sheet WHERE n % 50 = 0"
ask -c 'VACUUM ANALYZE'

# What is asked is explained in Postgres's log, while that is wished for.
ask -c "ALTER DATABASE history SET session_preload_libraries = 'auto_explain'" \
    -c "ALTER DATABASE history SET auto_explain.log_analyze = on" -c "ALTER DATABASE history SET auto_explain.log_timing = off" \
    -c "ALTER DATABASE history SET auto_explain.log_format = json"
explain() { ask -c "ALTER SYSTEM SET auto_explain.log_min_duration = $1" -c 'SELECT pg_reload_conf()' >/dev/null; }
SCRIP_LISTEN=127.0.0.1:$(free_port)
SCRIP_URL=http://$SCRIP_LISTEN
export SCRIP_LISTEN SCRIP_GUESSES_PER_DEVICE_PER_MINUTE=100000000
start server "$scrip" serve
server=$pid
wait_ready

# Taking in over HTTP: batches of 1,000 sales of one machine each, some weeks ago; four gateways at a time.
say 'taking in'
rm -rf "$dir/batches" && mkdir "$dir/batches"
taken=200
for machine in $(ask -c "SELECT hostname FROM machine WHERE user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = 2) ORDER BY id LIMIT $taken"); do
    ask -c "SELECT json_agg(json_build_object('remote', 1000000000 + n, 'occurredAt', now() - interval '40 days' - n * interval '1 minute', 'price', 100,
            'plu', 1 + n % 20, 'name', 'Product ' || 1 + n % 20)) FROM generate_series(1, 1000) n" >"$dir/batches/$machine"
done
send() {
    (cd "$dir/batches" && printf '%s\n' vm-* | xargs -P 4 -I{} curl -fsS -o /dev/null -H "Authorization: Bearer $large" \
        -H 'Content-Type: application/json' --data-binary @{} "$SCRIP_URL/machine/{}/revenuetransactions")
}
before=$(ask -c 'SELECT count(*) FROM revenue_transaction WHERE remote > 1000000000')
over_http=$(seconds send)
after=$(ask -c 'SELECT count(*) FROM revenue_transaction WHERE remote > 1000000000')
((after - before == taken * 1000)) || die "$((after - before)) of $((taken * 1000)) sales arrived"
ask -c "COPY (SELECT ${columns/original_price/price} FROM revenue_transaction WHERE remote > 1000000000 ORDER BY id) TO STDOUT" >"$dir/sheet"
bare=$(seconds load bare_transaction)
told 'taken in over HTTP / bare COPY of the same rows' "$(ratio "$over_http" "$bare")"
again=$(seconds send)
told 'all of it sent again / the first time' "$(ratio "$again" "$over_http")"

# Questions: to the server, and to the raw table.
year="$(date -d '1 year ago' +%F)" month="$(date -d '1 month ago' +%F)" today="$(date +%F)"
# The milliseconds that an answer takes, without what its client needs to start.
answered() { curl -fsS -g -w '%{time_total}\n' -o "$dir/answer" -H "Authorization: Bearer $large" "$@" | awk '{ print $1 * 1000 }'; }
get() { answered "$SCRIP_URL$1"; }
report() { answered -H 'Content-Type: application/json' -d "$2" "$SCRIP_URL/report/$1"; }
raw() { ask -c '\timing on' -c "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }
period() { printf '{"period1":{"type":"fixed date","startDate":"%s 00:00:00","endDate":"%s 13:37:41"}%s}' "$1" "$today" "${2:-}"; }
mine="user_group IN (SELECT descendant FROM user_group_tree WHERE ancestor = 2)"
since() { printf "occurred_local >= '%s' AND occurred_local <= '%s 13:37:41' AND %s" "$1" "$today" "$mine"; }
# Asks both in turn, and both once more for the rows that they read.
compare() {
    local name=$1 question=$2 size server table
    shift 2
    : >"$dir/asked" && : >"$dir/raw"
    for _ in $(seq "$rounds"); do
        "$@" >>"$dir/asked"
        raw "$question" >>"$dir/raw"
    done
    explain 0
    size=$(stat -c %s "$log")
    "$@" >/dev/null
    explain -1
    tail -c +$((size + 1)) "$log" | tee -a "$dir/plans.log" | "$root/loadtest/history.py" >"$dir/rows"
    server=$(median <"$dir/asked") table=$(median <"$dir/raw")
    local read of
    read=$(<"$dir/rows") of=$(ask -c "EXPLAIN (ANALYZE, TIMING off, FORMAT json) $question" | "$root/loadtest/history.py")
    printf '%-34s %8s %10.1f ms %10s %10s\n' "$name" "$(ratio "$table" "$server")" "$server" "$read" "$of"
    lines+=("$(printf '{"name": "%s", "ratio": %s, "server_ms": %s, "raw_ms": %s, "server_rows": %s, "raw_rows": %s}' \
        "$name" "$(ratio "$table" "$server")" "$server" "$table" "$read" "$of")")
}
say 'asking'
: >"$dir/plans.log"
printf '\n%-34s %8s %13s %10s %10s\n' question 'raw / server' 'server' 'rows read' 'of the raw'
sold="sum(price), count(*) FROM revenue_transaction WHERE"
compare 'summary of a year' "SELECT currency, occurred_local::date, $sold $(since "$year") GROUP BY 1, 2" get "/revenuetransaction/summary?startDate=$year&endDate=$today"
compare 'best selling of a month' "SELECT name, occurred_local::date, $sold $(since "$month") GROUP BY 1, 2" get "/revenuetransaction/bestselling?startDate=$month&endDate=$today"
compare 'periods' "SELECT currency, sum(price) FILTER (WHERE occurred_local::date = now()::date), $sold $(since "$(date +%Y-01-01)") GROUP BY 1" get /revenuetransaction/periods
compare 'heatmap' "SELECT extract(isodow FROM occurred_local), extract(hour FROM occurred_local), $sold $(since "$(date -d '3 months ago' +%F)") GROUP BY 1, 2" get /revenuetransaction/heatmap
compare 'revenue of a year' "SELECT product, currency, max(name), $sold $(since "$year") GROUP BY 1, 2" report revenue "$(period "$year")"
compare 'revenue of a year at one machine' "SELECT product, currency, max(name), $sold $(since "$year") AND machine = 77 GROUP BY 1, 2" report revenue "$(period "$year" ',"machines":[77]')"
paid="sum(price), count(*) FROM payment_transaction WHERE"
compare 'payments of a year' "SELECT type, report_group, currency, $paid $(since "$year") GROUP BY 1, 2, 3" report payments "$(period "$year")"
happened="sum(duration), count(*) FROM machine_log WHERE"
compare 'issues of a year' "SELECT code, error_identity, $happened $(since "$year") AND type > 1 GROUP BY 1, 2" report issues "$(period "$year")"
compare 'alarms of a year' "SELECT code, error_identity, $happened $(since "$year") AND type = 3 GROUP BY 1, 2" report alarms "$(period "$year")"
compare 'payments by shift of a month' "SELECT shift, location, method, type, $paid $(since "$month") GROUP BY 1, 2, 3, 4" report shiftpayments "$(period "$month")"
compare 'products by shift of a month' "SELECT shift, product, currency, $sold $(since "$month") GROUP BY 1, 2, 3" report shiftproducts "$(period "$month")"
compare 'events by their number' "SELECT code, ${happened/machine_log/machine_log_ever} $mine GROUP BY 1 ORDER BY 3 DESC LIMIT 10" get /log/summary

# A large CSV, and what the server has in memory meanwhile.
memory() { awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$server/status"; }
say 'streaming'
rested=$(memory)
from=$(date -d '75 days ago' '+%F')
curl -fsS -G -H "Authorization: Bearer $large" "$SCRIP_URL/report/transactions" --data-urlencode "period1[startDate]=$from 00:00:00" \
    --data-urlencode "period1[endDate]=$today 23:59:59" --data-urlencode timezone=Europe/Amsterdam -o "$dir/transactions.csv" &
reader=$!
: >"$dir/memory"
while kill -0 $reader 2>/dev/null; do memory >>"$dir/memory"; sleep 0.2; done
wait $reader
csv=$(wc -l <"$dir/transactions.csv") most=$(sort -n "$dir/memory" | tail -n 1)
printf '\n%s rows of CSV: memory %s MiB before, at most %s while it streamed\n' "$csv" "$rested" "$most"
{
    printf '{"sales": %s, "rounds": %s, "csv": {"rows": %s, "mib_before": %s, "mib_most": %s},\n "measured": [\n' \
        "$sales" "$rounds" "$csv" "$rested" "$most"
    printf '%s\n' "${lines[@]}" | sed 's/^/  /; $!s/$/,/'
    printf ' ]}\n'
} >"$dir/history.json"
