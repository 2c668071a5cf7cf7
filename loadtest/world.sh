# Sourced by the scripts beside it: a private Postgres and Redis, the demo's machines and user in
# them, and a server of this build. All of it stops when the script that sources this ends.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
dir=${LOAD_DIR:-$root/.dev/load}
# What becomes of the stores at the end: `down` leaves their data, `wipe` doesn't.
leave=down
# Measurements are of the release build; where only right and wrong count, PROFILE=dev builds faster.
profile=${PROFILE:-release}
binaries=$root/target/${profile/#dev/debug}
load=$binaries/examples/load
scrip=$binaries/scrip

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; }
die() { say "$*"; exit 1; }

# Examples too: all, or those that are named.
build() {
    say 'building'
    (cd "$root" && cargo build --quiet --profile "$profile" --bins "${@:---examples}")
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

free_port() {
    local port
    for _ in $(seq 100); do
        port=$((10000 + RANDOM % 10000))
        if is_free "$port"; then
            echo "$port"
            return
        fi
    done
    die 'found no free port'
}

services() { "$root/dev/services.sh" "$1" "$dir" "${@:2}"; }

# Its data lie beside its socket, which is not always in $dir.
postgres_pid() {
    local sockets=${DATABASE_URL#*host=}
    head -n 1 "$(dirname "${sockets%%&*}")/postgres/postmaster.pid"
}
redis_pid() { redis-cli -u "$REDIS_TCP_URL" info server | tr -d '\r' | sed -n 's/^process_id://p'; }

# Starts a program in the background; its pid is in $pid, its output in <dir>/<name>.log.
start() {
    local name=$1
    shift
    "$@" >>"$dir/$name.log" 2>&1 </dev/null &
    pid=$!
}

start_server() {
    start server "$scrip" serve
    server=$pid
}

is_ready() { curl -fs -o "$dir/ready.json" --max-time 2 "$SCRIP_URL/health/ready"; }

wait_ready() {
    for _ in $(seq 300); do
        if is_ready; then return; fi
        sleep 0.1
    done
    tail -n 20 "$dir/server.log" >&2
    die 'the server is not ready after 30 s'
}

stop_world() {
    local status=$?
    trap - EXIT
    local pids
    mapfile -t pids < <(jobs -p)
    if ((${#pids[@]})); then kill "${pids[@]}" 2>/dev/null || true; fi
    wait || true
    services "$leave" || true
    exit "$status"
}

# Everything up to a server that answers, with limits that a load generator doesn't run into.
start_world() {
    mkdir -p "$dir"
    trap stop_world EXIT
    trap 'exit 130' INT TERM
    services up
    set -a
    # shellcheck source=/dev/null
    . "$dir/env"
    [[ -f $dir/secret ]] || (umask 077; echo "scrip-demo-$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" >"$dir/secret")
    SCRIP_SIGNING_SECRET=$(<"$dir/secret")
    SCRIP_DEMO=true
    SCRIP_LISTEN=127.0.0.1:$(free_port)
    SCRIP_URL=http://$SCRIP_LISTEN
    SCRIP_PUBLIC_URL=$SCRIP_URL
    SCRIP_GUESSES_PER_DEVICE_PER_MINUTE=100000000
    SCRIP_GUESSES_PER_KEY_PER_MINUTE=100000000
    SCRIP_LOGINS_PER_MINUTE=6000
    RUST_LOG=${RUST_LOG:-warn}
    set +a
    "$scrip" migrate >>"$dir/server.log" 2>&1
    (cd "$dir" && "$scrip" demo --write "$dir/demo.env" >>"$dir/server.log" 2>&1)
    local url=$SCRIP_URL
    set -a
    # shellcheck source=/dev/null
    . "$dir/demo.env"
    SCRIP_URL=$url
    set +a
    start_server
    wait_ready
}

# What other load generators shoot at, each voucher asked for once; for them, the files' names.
prepare_vouchers() {
    local vouchers=${LOAD_VOUCHERS:-10000}
    say "making $vouchers vouchers"
    "$load" prepare --vouchers "$vouchers" --out "$dir"
    export LOAD_CODES=$dir/codes LOAD_HOT=$dir/hot LOAD_POOR=$dir/poor
    "$load" run --scenario validate --sweep --codes "$LOAD_CODES" >/dev/null
}
