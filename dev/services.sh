#!/usr/bin/env bash
# A Postgres and a Redis of our own, for `make run` and `make test`: own data, own sockets, own ports
# on 127.0.0.1. Whatever else runs on this machine is left alone.
#
#   dev/services.sh up   [dir]                    start what is not running, and write <dir>/env
#   dev/services.sh down [dir] [postgres|redis]   stop it, in an orderly way
#   dev/services.sh kill [dir] postgres|redis     end it as a power cut would
#   dev/services.sh wipe [dir]                    stop both and delete their data
set -euo pipefail

verb=${1:-}
mkdir -p "${2:-.dev}"
dir=$(cd "${2:-.dev}" && pwd -P)
only=${3:-}

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

wants() { [[ -z $only || $only == "$1" ]]; }

postgres_bin() { compgen -G '/usr/lib/postgresql/*/bin/postgres' | sort -V | tail -n 1 | xargs -r dirname; }

# As root: the programs without the services that their packages would start.
install() {
    local policy=/usr/sbin/policy-rc.d
    if [[ ! -e $policy ]]; then
        trap "rm -f $policy" EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    apt-get update -qq || true
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "$@"
}

# Installs what is missing from Debian's packages, or says what to install.
need_programs() {
    local missing=()
    [[ -n $(postgres_bin) ]] || missing+=(postgresql)
    command -v redis-server >/dev/null && command -v redis-cli >/dev/null || missing+=(redis-server)
    ((${#missing[@]})) || return 0
    local root=()
    [[ $EUID == 0 ]] || root=(sudo -n)
    if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
        say "installing ${missing[*]}"
        "${root[@]}" bash -c "$(declare -f install); install \"\$@\"" install "${missing[@]}" </dev/null >&2 && return 0
    fi
    die "please install: ${missing[*]}  (Debian: sudo apt-get install ${missing[*]})"
}

# Postgres refuses to run as root, so root lends it to another user.
if [[ $EUID != 0 ]]; then
    owner=$(id -un)
    as_owner() { "$@"; }
else
    if id postgres &>/dev/null; then owner=postgres; else owner=nobody; fi
    as_owner() { (cd / && exec runuser -u "$owner" -- "$@"); }
fi

# Where data and sockets are: <dir>, unless its owner can't get there (a clone below /root, say) or
# its name is too long for a socket; then a directory that <dir> alone leads to.
choose_home() {
    home=$dir
    if ((${#dir} > 70)) || ! as_owner test -x "$dir"; then
        home=/var/tmp/scrip-$EUID-$(printf '%s' "$dir" | sha256sum | cut -c1-16)
        mkdir -p -m 711 "$home"
        [[ -O $home ]] || die "$home belongs to someone else"
    fi
    data=$home/postgres run=$home/run redis=$home/redis
}

make_directories() {
    mkdir -p "$data" "$run" "$redis"
    chmod 700 "$data" "$run" "$redis"
    [[ $EUID != 0 ]] || chown "$owner" "$data" "$run"
}

is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# Writes a port that nobody listens on to a file, below those that the kernel hands out by itself.
# The port of last time is kept on the first attempt: whoever was connected comes back to it.
pick_port() {
    local file=$1 attempt=$2 port
    if [[ $attempt == 1 && -f $file ]] && is_free "$(<"$file")"; then return; fi
    for _ in $(seq 100); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 10000))
        if is_free "$port"; then
            printf '%s\n' "$port" >"$file"
            return
        fi
    done
    die 'found no free port'
}

postgres_pid() {
    local pid
    pid=$(head -n 1 "$data/postmaster.pid" 2>/dev/null) && is_program "$pid" postgres && printf '%s' "$pid"
}

postgres_runs() { postgres_pid >/dev/null; }

start_postgres() {
    if [[ ! -f $data/PG_VERSION ]]; then
        say "making a Postgres cluster in $data"
        (umask 077; head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$dir/postgres.password")
        as_owner "$bin/initdb" -D "$data" -U scrip --auth-local=trust --auth-host=scram-sha-256 \
            -E UTF8 --locale=C.UTF-8 >/dev/null
    fi
    postgres_runs && return
    local attempt
    for attempt in $(seq 5); do
        pick_port "$dir/postgres.port" "$attempt"
        as_owner "$bin/pg_ctl" -D "$data" -s -w -t 60 -l "$data/log" -o "-p $(<"$dir/postgres.port") \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories='$run' -c unix_socket_permissions=0700 \
            -c fsync=on -c synchronous_commit=on -c shared_buffers=256MB -c max_connections=200" \
            start 9>&- </dev/null && return
    done
    tail -n 20 "$data/log" >&2
    die 'Postgres does not start'
}

create_database() {
    local psql=("$bin/psql" -qtA -h "$run" -p "$(<"$dir/postgres.port")" -U scrip)
    if [[ $(as_owner "${psql[@]}" -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'scrip'") != 1 ]]; then
        as_owner "${psql[@]}" -d postgres -c "ALTER ROLE scrip PASSWORD '$(<"$dir/postgres.password")'" \
            -c 'CREATE DATABASE scrip'
    fi
}

redis_answers() { [[ $(redis-cli -s "$run/redis.sock" ping 2>/dev/null) == PONG ]]; }

# Where nobody collects orphans (a container), the dead stay listed, without a command line.
lives() { [[ -n $({ tr -d '\0' <"/proc/$1/cmdline"; } 2>/dev/null) ]]; }

# A pid file outlives a crash, and by then the number may be another program's.
is_program() { lives "$1" && [[ $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]]; }

redis_pid() {
    local pid
    pid=$(cat "$redis/pid" 2>/dev/null) && is_program "$pid" redis-server && printf '%s' "$pid"
}

# Redis reads its append-only file first; until then it answers LOADING.
wait_for_redis() {
    for _ in $(seq 300); do
        redis_answers && return
        redis_pid >/dev/null || return 1
        sleep 0.1
    done
    return 1
}

start_redis() {
    redis_answers && return
    if redis_pid >/dev/null; then wait_for_redis && return; fi
    local attempt
    for attempt in $(seq 5); do
        pick_port "$dir/redis.port" "$attempt"
        redis-server --daemonize yes --dir "$redis" --pidfile "$redis/pid" --logfile "$redis/log" \
            --bind 127.0.0.1 --port "$(<"$dir/redis.port")" --unixsocket "$run/redis.sock" --unixsocketperm 700 \
            --appendonly yes --appendfsync everysec --auto-aof-rewrite-min-size 1gb --save '' --maxmemory-policy noeviction --hash-max-listpack-value 512 \
            9>&- </dev/null >/dev/null
        for _ in $(seq 20); do [[ -f $redis/pid ]] && break; sleep 0.1; done
        wait_for_redis && return
    done
    tail -n 20 "$redis/log" >&2
    die 'Redis does not start'
}

write_env() {
    local port
    port=$(<"$dir/postgres.port")
    (
        umask 077
        cat >"$dir/env" <<ENV
DATABASE_URL='postgres://scrip@localhost/scrip?host=$run&port=$port'
DATABASE_TCP_URL='postgres://scrip:$(<"$dir/postgres.password")@127.0.0.1:$port/scrip'
REDIS_URL='redis+unix://$run/redis.sock'
REDIS_TCP_URL='redis://127.0.0.1:$(<"$dir/redis.port")'
ENV
    )
}

up() {
    need_programs
    # Half a start leaves behind what nobody knows of: a Ctrl-C is for whoever called, in a moment.
    trap '' INT
    bin=$(postgres_bin)
    choose_home
    make_directories
    ! wants postgres || { start_postgres; create_database; }
    ! wants redis || start_redis
    write_env
}

# Waits for a process to be gone; children of a server may outlive it for a moment.
wait_gone() {
    local pid
    for pid in "$@"; do
        for _ in $(seq 100); do lives "$pid" || break; sleep 0.05; done
    done
}

down() {
    bin=$(postgres_bin)
    choose_home
    if wants postgres && [[ -n $bin ]] && postgres_runs; then
        as_owner "$bin/pg_ctl" -D "$data" -s -w -t 60 -m fast stop
    fi
    local pid
    if wants redis && pid=$(redis_pid); then
        kill "$pid"
        wait_gone "$pid"
    fi
}

power_cut() {
    choose_home
    local pid pids
    case $only in
        postgres)
            pid=$(postgres_pid) || return 0
            mapfile -t pids < <(grep -ls "^PPid:[[:space:]]*$pid$" /proc/[0-9]*/status | cut -d / -f 3)
            pids=("$pid" "${pids[@]}")
            ;;
        redis)
            pid=$(redis_pid) || return 0
            pids=("$pid")
            ;;
        *) die 'kill what: postgres or redis?' ;;
    esac
    kill -9 "${pids[@]}" 2>/dev/null || true
    wait_gone "${pids[@]}"
    # After a power cut nobody has these numbers; here the dead may, until someone collects them.
    [[ $only != postgres ]] || rm -f "$data/postmaster.pid" "$run"/.s.PGSQL.*
}

wipe() {
    down
    rm -rf "$data" "$run" "$redis" "$dir"/{env,postgres.password,postgres.port,redis.port,lock}
    [[ $home == "$dir" ]] || rmdir "$home"
}

exec 9>"$dir/lock"
flock 9
case $verb in
    up) up ;;
    down) down ;;
    kill) power_cut ;;
    wipe) wipe ;;
    *) die "usage: dev/services.sh up|down|kill|wipe [dir] [postgres|redis]" ;;
esac
