#!/usr/bin/env bash
# Compares the schema that the migrations make with the one that those of another revision make: every object, its
# rights and comments, and the rows that migrations fill in. Says what differs, and fails if anything does.
#
#   dev/schema_equality.sh <revision> [dir]   with the stores of <dir>, .dev by default
#
# Indentation is left out, and what depends on when a migration ran.
set -euo pipefail
cd "$(dirname "$0")/.."

revision=${1:?usage: dev/schema_equality.sh <revision> [dir]}
dir=${2:-.dev}
dev/services.sh up "$dir" >&2
. "$dir/env"
scratch=$(mktemp -d)
server=${DATABASE_URL/\/scrip\?//postgres?}
database() { printf '%s' "${DATABASE_URL/\/scrip\?//$1?}"; }
drop() { psql -qX "$server" -c "DROP DATABASE IF EXISTS equality_old" -c "DROP DATABASE IF EXISTS equality_new" 2>/dev/null; }
trap 'drop; rm -rf "$scratch"' EXIT
drop

# Runs the migrations of a folder as the server does: in the order of their numbers, each in a transaction.
migrate() {
    local file transaction
    for file in "$2"/*.sql; do
        transaction=(-1)
        [[ $(head -n 1 "$file") != '-- no-transaction'* ]] || transaction=()
        psql -qX -v ON_ERROR_STOP=1 ${transaction[@]+"${transaction[@]}"} -f "$file" "$(database "$1")" >/dev/null
    done
}

# Writes each object of a dump on one line, in an order of its own.
objects() {
    sed -E -e '/^SET |^SELECT pg_catalog.set_config|^-- Dumped |^\\(un)?restrict /d' -e 's/^[[:space:]]+//' \
        | awk '/^-- Name: / { printf "\n" } $0 != "--" && $0 != "" { printf "%s\036", $0 }' | LC_ALL=C sort
}

# Rows, with instants and the epoch (seconds of a clock) replaced by words.
rows() {
    grep -E '^INSERT INTO|^SELECT pg_catalog.setval' \
        | sed -E -e "s/'[0-9]{4}-[0-9]{2}-[0-9]{2} [^']*'/'then'/g" -e "s/(hot_epoch VALUES \(true, )[0-9]+/\1epoch/" \
        | LC_ALL=C sort
}

mkdir "$scratch/old"
git archive "$revision" migrations | tar -x -C "$scratch/old"
psql -qX "$server" -c 'CREATE DATABASE equality_old' -c 'CREATE DATABASE equality_new'
migrate equality_old "$scratch/old/migrations"
migrate equality_new migrations
for side in old new; do
    pg_dump --schema-only "$(database "equality_$side")" | objects | tr '\036' '\n' >"$scratch/$side.schema"
    # The whole, since a dump of rows alone warns of tables that refer to themselves.
    pg_dump --inserts "$(database "equality_$side")" | rows >"$scratch/$side.rows"
done
diff -u "$scratch/old.schema" "$scratch/new.schema" || differs=1
diff -u "$scratch/old.rows" "$scratch/new.rows" || differs=1
[[ -z ${differs:-} ]]
printf 'equal: %s objects, %s rows\n' "$(grep -c '^-- Name: ' "$scratch/new.schema")" "$(wc -l <"$scratch/new.rows")"
