#!/usr/bin/env bash
# Runs the benches of benches/ on stores of its own, and prints what the stores cost as ratios: a script
# beside a plain GET, an entry of the journal by the size of its batch.
#
#   loadtest/benches.sh [filter]     all by default; `redis` or `journal` for a part
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

mkdir -p "$dir"
trap stop_world EXIT
trap 'exit 130' INT TERM
services up
# shellcheck source=/dev/null
. "$dir/env"
export SCRIP_TEST_DATABASE_URL=$DATABASE_URL SCRIP_TEST_REDIS_URL=$REDIS_URL
export CRITERION_HOME=$dir/criterion
rm -rf "$CRITERION_HOME"
(cd "$root" && cargo bench --bench pure --bench stores -- --noplot "$@")

# The median time of a bench, in nanoseconds; nothing if it was not run.
median() {
    local file=$CRITERION_HOME/$1/new/estimates.json
    [[ ! -f $file ]] || sed -E 's/.*"median":\{[^}]*\},"point_estimate":([0-9.eE+-]+).*/\1/' "$file"
}

# What one of two benches costs beside the other; each does so many things.
row() {
    local of to
    of=$(median "$1") to=$(median "$3")
    [[ -z $of || -z $to ]] ||
        awk -v name="$5" -v of="$of" -v ofs="$2" -v to="$to" -v tos="$4" 'BEGIN { printf "%-44s %.2f\n", name, of / ofs / (to / tos) }'
}

printf '\n%-44s %s\n' 'time of one' ratio
for command in hgetall lock release redeem settle; do row "redis/$command" 1 redis/get 1 "$command / get"; done
for script in lock release redeem; do row "redis/$script" 1 redis/hgetall 1 "$script / hgetall"; done
for size in 8 64 256 512; do row "journal/$size" "$size" journal/1 1 "entry of a batch of $size / entry alone"; done
