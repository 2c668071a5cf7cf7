#!/usr/bin/env bash
# A Postgres and a Redis of our own, for `make run` and `make test`: own data, own sockets, own ports
# on 127.0.0.1. Whatever else runs on this machine is left alone.
#
#   dev/services.sh up   [dir]                            start what is not running, and write <dir>/env
#   dev/services.sh down [dir] [postgres|standby|redis]   stop it, in an orderly way
#   dev/services.sh kill [dir] postgres|standby|redis     end it as a power cut would
#   dev/services.sh freeze|thaw [dir] postgres|standby    have it say nothing, as a host that is cut off; and go on
#   dev/services.sh standby  [dir]                        start a standby of Postgres; its port is in <dir>/standby.port
#   dev/services.sh promote  [dir]                        have it be a primary, where it is
#   dev/services.sh failover [dir]                        kill Postgres, and have the standby take its place and port
#   dev/services.sh lost     [dir]                        start what was killed then; its port is in <dir>/lost.port
#   dev/services.sh wipe [dir]                            stop everything and delete its data
set -euo pipefail
shopt -s extglob

# The oldest version of Postgres that the schema and the statements are written for.
postgres_least=14
verb=${1:-}
mkdir -p "${2:-.dev}"
dir=$(cd "${2:-.dev}" && pwd -P)
only=${3:-}

say() { printf 'services: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

wants() { [[ -z $only || $only == "$1" ]]; }

# Postgres' programs are not all on the PATH everywhere: Debian, Fedora's versions and Homebrew keep them apart.
postgres_bin() {
    local found newest='' newest_version=0 version
    for found in "$(command -v initdb || true)" "$(command -v pg_config >/dev/null && pg_config --bindir || true)/initdb" \
        /usr/lib/postgresql/*/bin/initdb /usr/pgsql-*/bin/initdb /usr/lib/postgresql*/bin/initdb \
        "${HOMEBREW_PREFIX:-/opt/homebrew}"/opt/postgresql*/bin/initdb /usr/local/opt/postgresql*/bin/initdb; do
        [[ -x $found && -x ${found%/*}/postgres && -x ${found%/*}/pg_ctl && -x ${found%/*}/psql ]] || continue
        version=$("$found" --version | sed -n 's/^[^0-9]*\([0-9]\{1,\}\).*/\1/p')
        if ((${version:-0} >= postgres_least && version > newest_version)); then
            newest=${found%/*} newest_version=$version
        fi
    done
    printf '%s' "$newest"
}

# Redis or Valkey, which speaks the same: the server's program (`server`) or the client's (`cli`).
redis_program() {
    command -v "redis-$1" || command -v "valkey-$1" \
        || compgen -G "${HOMEBREW_PREFIX:-/opt/homebrew}/opt/[rv]*/bin/[rv]*-$1" | head -n 1 || true
}

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
    [[ -n $(redis_program server) && -n $(redis_program cli) ]] || missing+=(redis-server)
    ((${#missing[@]})) || return 0
    local root=(env)
    [[ $EUID == 0 ]] || root=(sudo -n)
    if command -v apt-get >/dev/null && "${root[@]}" true 2>/dev/null; then
        say "installing ${missing[*]}"
        "${root[@]}" bash -c "$(declare -f install); install \"\$@\"" install "${missing[@]}" </dev/null >&2 || true
        # An old Debian's Postgres may be there now and yet be too old.
        [[ -z $(postgres_bin) || -z $(redis_program server) || -z $(redis_program cli) ]] || return 0
    fi
    say "missing or too old: ${missing[*]}. Scrip needs Postgres $postgres_least or newer, and Redis or Valkey, on the PATH:"
    say '  Debian, Ubuntu   sudo apt-get install postgresql redis-server'
    say '  Fedora           sudo dnf install postgresql-server valkey'
    say '  Arch             sudo pacman -S postgresql valkey'
    say '  Homebrew         brew install postgresql@17 redis'
    exit 1
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
        home=/var/tmp/scrip-$EUID-$(printf '%s' "$dir" | cksum | tr -d ' ')
        mkdir -p -m 711 "$home"
        [[ -O $home ]] || die "$home belongs to someone else"
    fi
    data=$home/postgres standby=$home/standby run=$home/run redis=$home/redis
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

# Of the Postgres whose data are in a directory.
postgres_pid() {
    local pid
    pid=$(head -n 1 "$1/postmaster.pid" 2>/dev/null) && is_program "$pid" postgres && printf '%s' "$pid"
}

# The postmaster and its children, one a line.
postgres_pids() {
    local pid
    pid=$(postgres_pid "$1") || return 0
    printf '%s\n' "$pid"
    children_of "$pid"
}

# Starts the Postgres whose data are in a directory, at the port in a file.
run_postgres() {
    local data=$1 port=$2 attempt
    postgres_pid "$data" >/dev/null && return
    for attempt in $(seq 5); do
        pick_port "$port" "$attempt"
        as_owner "$bin/pg_ctl" -D "$data" -s -w -t 60 -l "$data/log" -o "-p $(<"$port") \
            -c listen_addresses=127.0.0.1 -c unix_socket_directories='$run' -c unix_socket_permissions=0700 \
            -c fsync=on -c synchronous_commit=on -c shared_buffers=256MB -c max_connections=200" \
            start 9>&- </dev/null && return
    done
    tail -n 20 "$data/log" >&2
    die 'Postgres does not start'
}

start_postgres() {
    if [[ ! -f $data/PG_VERSION ]]; then
        say "making a Postgres cluster in $data"
        (umask 077; head -c 24 /dev/urandom | base64 | tr -d '/+=\n' >"$dir/postgres.password")
        # Not every system has the locale that sorts by code point and knows all letters' cases.
        local locale=C.UTF-8
        locale -a 2>/dev/null | grep -qix 'c.utf-\?8' || locale=en_US.UTF-8
        as_owner "$bin/initdb" -D "$data" -U scrip --auth-local=trust --auth-host=scram-sha-256 \
            -E UTF8 --locale=$locale >/dev/null
    fi
    run_postgres "$data" "$dir/postgres.port"
}

# A copy of Postgres that follows it. `standby` is what synchronous_standby_names can call it.
start_standby() {
    if [[ ! -f $standby/PG_VERSION ]]; then
        rm -rf "$standby"
        mkdir -m 700 "$standby"
        [[ $EUID != 0 ]] || chown "$owner" "$standby"
        as_owner "$bin/pg_basebackup" -h "$run" -p "$(<"$dir/postgres.port")" -U scrip -D "$standby" -R -c fast -X stream
        printf "primary_conninfo = 'host=%s port=%s user=scrip application_name=standby'\n" \
            "$run" "$(<"$dir/postgres.port")" >>"$standby/postgresql.auto.conf"
    fi
    run_postgres "$standby" "$dir/standby.port"
}

promote() {
    run_postgres "$standby" "$dir/standby.port"
    only=standby send -CONT
    as_owner "$bin/pg_ctl" -D "$standby" -s -w -t 60 promote
}

failover() {
    only=postgres power_cut
    promote
    as_owner "$bin/pg_ctl" -D "$standby" -s -w -t 60 -m fast stop
    rm -rf "$home/lost"
    mv "$data" "$home/lost"
    mv "$standby" "$data"
    start_postgres
}

create_database() {
    local psql=("$bin/psql" -qtA -h "$run" -p "$(<"$dir/postgres.port")" -U scrip)
    if [[ $(as_owner "${psql[@]}" -d postgres -c "SELECT 1 FROM pg_database WHERE datname = 'scrip'") != 1 ]]; then
        as_owner "${psql[@]}" -d postgres -c "ALTER ROLE scrip PASSWORD '$(<"$dir/postgres.password")'" \
            -c 'CREATE DATABASE scrip'
    fi
}

redis_answers() { [[ $("$(redis_program cli)" -s "$run/redis.sock" ping 2>/dev/null) == PONG ]]; }

# A process table without `ps`, as containers have it, or `ps` where there is no /proc (macOS).
if [[ -d /proc/self ]]; then
    # Where nobody collects orphans (a container), the dead stay listed, without a command line.
    lives() { [[ -n $({ tr -d '\0' <"/proc/$1/cmdline"; } 2>/dev/null) ]]; }
    program_of() { cat "/proc/$1/comm" 2>/dev/null || true; }
    children_of() { grep -ls "^PPid:[[:space:]]*$1$" /proc/[0-9]*/status | cut -d / -f 3 || true; }
else
    lives() { [[ $(ps -o stat= -p "$1" 2>/dev/null) == [!Z]* ]]; }
    program_of() { basename "$(ps -o comm= -p "$1" 2>/dev/null)"; }
    children_of() { pgrep -P "$1" || true; }
fi

# A pid file outlives a crash, and by then the number may be another program's.
is_program() { lives "$1" && [[ $(program_of "$1") == $2 ]]; }

redis_pid() {
    local pid
    pid=$(cat "$redis/pid" 2>/dev/null) && is_program "$pid" '@(redis|valkey)-server' && printf '%s' "$pid"
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
        "$(redis_program server)" --daemonize yes --dir "$redis" --pidfile "$redis/pid" --logfile "$redis/log" \
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
    local which
    for which in standby postgres lost; do
        if wants "$which" && [[ -n $bin ]] && postgres_pid "$home/$which" >/dev/null; then
            only=$which send -CONT
            as_owner "$bin/pg_ctl" -D "$home/$which" -s -w -t 60 -m fast stop
        fi
    done
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
        postgres | standby)
            # shellcheck disable=SC2207  # numbers, and macOS' bash has no mapfile
            pids=($(postgres_pids "$home/$only"))
            ((${#pids[@]})) || return 0
            ;;
        redis)
            pid=$(redis_pid) || return 0
            pids=("$pid")
            ;;
        *) die 'kill what: postgres, standby or redis?' ;;
    esac
    kill -9 "${pids[@]}" 2>/dev/null || true
    wait_gone "${pids[@]}"
    # After a power cut nobody has these numbers; here the dead may, until someone collects them.
    [[ $only == redis ]] || rm -f "$home/$only/postmaster.pid" "$run/.s.PGSQL.$(<"$dir/$only.port")"*
}

# Sends a signal to a Postgres, and then to its children: it has no new ones meanwhile.
send() {
    local pid
    pid=$(postgres_pid "$home/$only") || die "$only does not run"
    kill "$1" "$pid"
    # shellcheck disable=SC2046  # numbers
    kill "$1" $(children_of "$pid") 2>/dev/null || true
}

wipe() {
    down
    rm -rf "$data" "$standby" "$home/lost" "$run" "$redis" \
        "$dir"/{env,postgres.password,postgres.port,standby.port,lost.port,redis.port,lock}
    [[ $home == "$dir" ]] || rmdir "$home"
}

# Two that start or stop the same stores at once take turns; without flock (macOS) they would have to know.
exec 9>"$dir/lock"
! command -v flock >/dev/null || flock 9
case $verb in
    up) up ;;
    down) down ;;
    kill) power_cut ;;
    freeze) choose_home; send -STOP ;;
    thaw) choose_home; send -CONT ;;
    standby | promote | failover | lost)
        bin=$(postgres_bin)
        choose_home
        case $verb in
            standby) start_standby ;;
            lost) run_postgres "$home/lost" "$dir/lost.port" ;;
            *) "$verb" ;;
        esac
        ;;
    wipe) wipe ;;
    *) die "usage: dev/services.sh up|down|kill|freeze|thaw|standby|promote|failover|lost|wipe [dir] [postgres|standby|redis]" ;;
esac
