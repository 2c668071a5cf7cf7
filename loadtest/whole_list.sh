#!/usr/bin/env bash
# A whole list: how soon a server begins to send a million vouchers as one array, and how much memory it needs for that.
#
#   loadtest/whole_list.sh [vouchers]    1000000 by default
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

vouchers=${1:-1000000}
key=scrip_$(printf '%043d' 7)

build --bin scrip
start_world
say "making $vouchers vouchers"
psql "$DATABASE_URL" -q -v ON_ERROR_STOP=1 -v vouchers="$vouchers" -v key="$key" <<'SQL'
INSERT INTO user_group (id, name, parent) VALUES (9001, 'Whole lists', 1) ON CONFLICT DO NOTHING;
INSERT INTO api_key (user_group, name, scopes, hash)
VALUES (9001, 'whole list', '{voucher.read}', sha256(convert_to(:'key', 'UTF8'))) ON CONFLICT DO NOTHING;
DELETE FROM voucher WHERE campaign = 9001;
INSERT INTO campaign (id, user_group, name, total_vouchers, type, voucher_value, status, status_wanted)
VALUES (9001, 9001, 'Whole list', 0, 'gift', 100, 'active', 'active') ON CONFLICT DO NOTHING;
INSERT INTO voucher (id, campaign, code, key, generated, inherits)
SELECT lpad(to_hex(n), 32, '0')::uuid, 9001, 'WHOLE-' || n, 'WHOLE-' || n, false, true
FROM generate_series(1, :vouchers) n;
VACUUM ANALYZE voucher;
SQL

memory() { awk -v name="$1:" '$1 == name { print $2 }' "/proc/$server/status"; }
# Asks for a list; prints the rows, the milliseconds to the first byte, those to the last, and the total in the header.
ask() {
    curl -fsg -o "$dir/list.json" -D "$dir/list.headers" -H "Authorization: Bearer $key" \
        -w '%{time_starttransfer} %{time_total}\n' "$SCRIP_URL/voucher$1" >"$dir/list.times"
    awk -v rows="$(tr -cd '{' <"$dir/list.json" | wc -c)" \
        -v total="$(tr -d '\r' <"$dir/list.headers" | awk 'tolower($1) == "x-total-count:" { print $2 }')" \
        '{ printf "%d rows, first byte after %.0f ms, last after %.0f ms, total %s\n", rows, $1 * 1000, $2 * 1000, total == "" ? "left out" : total }' \
        "$dir/list.times"
}

# Rows that every server needs once are made before anything is counted.
ask '?limit=100'
ask "?after=$(printf '%032x' $((vouchers - 2000)) | sed -E 's/(.{8})(.{4})(.{4})(.{4})/\1-\2-\3-\4-/')"
before=$(memory VmRSS)
echo 5 >"/proc/$server/clear_refs"
ask ''
say "resident before: $before kB; at most meanwhile: $(memory VmHWM) kB; growth: $((($(memory VmHWM) - before) / 1024)) MB"
for query in '?sort=id+desc' "?skip=$((vouchers > 100000 ? 99000 : 0))&limit=100"; do
    printf '%-30s ' "$query"
    ask "$query"
done
