# Sourced by bench.sh: a second tenant, and redeems of the demo's beside what that tenant, or a stranger, does.

neighbour_attacks=(bombs members bodies heads readers uploads lists renames mails logins)
neighbour_work=(generation printing export)

neighbour() { python3 "$root/loadtest/neighbours.py" "$@"; }

# Its vouchers are as many as a print is of.
prepare_neighbour() {
    export NEIGHBOUR_KEY NEIGHBOUR_GROUP NEIGHBOUR_CAMPAIGN
    NEIGHBOUR_KEY=scrip_$(od -An -N64 -tx1 /dev/urandom | tr -d ' \n' | head -c 43)
    local scopes='campaign.read,campaign.write,voucher.read,voucher.write,fleet.read,fleet.write,gateway.use'
    scopes+=,usergroup.read,usergroup.write
    NEIGHBOUR_GROUP=$(psql "$DATABASE_URL" -qAt -v key="$NEIGHBOUR_KEY" -v scopes="$scopes" \
        -f "$root/loadtest/neighbours.sql")
    say "making the neighbour's ${1:-100000} vouchers"
    NEIGHBOUR_CAMPAIGN=$(neighbour prepare "${1:-100000}")
}

# Runs the command behind the first argument while the neighbour does what that says. The neighbour's processor
# time is accounted for under a name of its own.
beside_neighbour() {
    local what=$1 begun
    shift
    start "neighbour-$what" python3 "$root/loadtest/neighbours.py" "$what"
    local neighbour=$pid
    for _ in $(seq 100); do
        begun=$(tail -n 1 "$dir/neighbour-$what.log" 2>/dev/null || true)
        [[ $begun != begun ]] || break
        sleep 0.1
    done
    [[ $begun == begun ]] || die "the neighbour does not begin: $dir/neighbour-$what.log"
    local alone=$pids
    pids+=,neighbour=$neighbour
    "$@"
    pids=$alone
    kill "$neighbour" 2>/dev/null || die "the neighbour has ended early: $dir/neighbour-$what.log"
    wait "$neighbour" || true
}

# A redeem alone, quiet and beside each of these.
neighbours() {
    local what
    plain plain-one --scenario plain-redeem --connections 1
    product redeem-one --scenario redeem --connections 1
    for what in "${neighbour_attacks[@]}" "${neighbour_work[@]}"; do
        beside_neighbour "$what" product "$what" --scenario redeem --connections 1
    done
    tidy
}
