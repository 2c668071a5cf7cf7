#!/usr/bin/env bash
# How lists grow: the same pages of the same lists over 1,000,000 machines and over 10,000, as a ratio
# of medians, asked in turn. For groups that have all of them, a 200th, and a hundred machines.
#
#   loadtest/lists.sh [machines] [requests]    1000000 machines and 31 requests a page by default
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

large=${1:-1000000} few=10000 requests=${2:-31}
key=scrip_$(printf '%040d' 0)

build
mkdir -p "$dir"
trap stop_world EXIT
trap 'exit 130' INT TERM
services up
# shellcheck source=/dev/null
. "$dir/env"
export REDIS_URL SCRIP_SIGNING_SECRET=of-the-load-test-alone-$(printf '%040d' 0)

declare -A at
for machines in $few $large; do
    say "making $machines machines"
    name=lists_$machines
    psql "$DATABASE_URL" -qc "DROP DATABASE IF EXISTS $name" -c "CREATE DATABASE $name"
    url=${DATABASE_URL/\/scrip\?//$name?}
    DATABASE_URL=$url "$scrip" migrate >>"$dir/lists.log" 2>&1
    psql "$url" -q -v ON_ERROR_STOP=1 -v machines="$machines" -v key="$key" -f "$root/loadtest/fleet.sql"
    at[$machines]=127.0.0.1:$(free_port)
    DATABASE_URL=$url SCRIP_LISTEN=${at[$machines]} SCRIP_REDIS_PREFIX=$name start "$name" "$scrip" serve --only-http
    SCRIP_URL=http://${at[$machines]}
    wait_ready
done

# The seconds that one page takes.
page() {
    curl -fs -o /dev/null -w '%{time_total}\n' -g -H "Authorization: Bearer $key$(printf '%03d' "$2")" \
        "http://${at[$1]}/machine?$3"
}
median() { sort -n | sed -n "$((requests / 2 + 1))p"; }

printf '%-10s %-55s %s\n' group page "$large/$few"
for group in 2 11 3; do
    while read -r query; do
        : >"$dir/few" && : >"$dir/large"
        for _ in $(seq "$requests"); do
            page $few $group "${query//HALF/$((few / 2))}" >>"$dir/few"
            page "$large" $group "${query//HALF/$((large / 2))}" >>"$dir/large"
        done
        ratio=$(awk -v l="$(median <"$dir/large")" -v f="$(median <"$dir/few")" 'BEGIN { printf "%.2f", l / f }')
        printf '%-10s %-55s %s\n' "$group" "$query" "$ratio"
    done <<'QUERIES'
after=HALF
after=HALF&where[tag]=tag+7
after=HALF&where[active]=false
after=HALF&where[configState]=failed
after=HALF&where[debtor][%3E]=4990
after=HALF&where[debtor]=null
after=HALF&where[machineType]=3&where[manufacturer]=3
where[hostname]=vm-7000
where[location]=77
after=HALF&where[name][startsWith]=Machine+77
QUERIES
done
