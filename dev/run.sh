#!/usr/bin/env bash
# `make run`: Scrip with data to try it on, at http://127.0.0.1:${PORT:-8080}. Ctrl-C stops all of it;
# what was entered stays under .dev/ for the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

port=${PORT:-8080}
server=

stop_all() {
    trap '' INT TERM
    if [[ -n $server ]]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
    fi
    dev/services.sh down .dev
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

refuse() {
    trap - EXIT
    echo "run: $1" >&2
    exit 1
}

command -v cargo >/dev/null || refuse 'please install Rust: https://rustup.rs'
command -v cc >/dev/null || refuse 'please install a C compiler  (Debian: sudo apt-get install gcc libc6-dev)'
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    refuse "something else listens on port $port: choose another, PORT=$((port + 1)) make run"
fi
# The stores below .dev/ are stopped with the one server that started them.
mkdir -p .dev
exec 8>.dev/run.lock
! command -v flock >/dev/null || flock -n 8 || refuse 'it already runs from this folder'
dev/services.sh up .dev 8>&-
# The tests' build, so that `make test` compiles nothing of it again. Fail points do nothing unless they are named.
built=${CARGO_TARGET_DIR:-target}/debug/scrip
if [[ -x $built ]]; then takes='a changed line takes seconds'; else takes='the first time takes minutes'; fi
echo "Building for trying and testing (dev profile; $takes). The fast build: cargo build --release" >&2
cargo build --features failpoints --bin scrip

# A secret of this demo's own; a server takes one that begins so only as a demo.
if [[ ! -s .dev/secret.env ]]; then
    (umask 077; echo "SCRIP_SIGNING_SECRET=scrip-demo-$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" >.dev/secret.env)
fi
set -a
. .dev/env
. .dev/secret.env
SCRIP_DEMO=true
# Nobody here has a mail server: mails are files, and their links stand in the log.
SCRIP_MAIL_DIR=.dev/mail
SCRIP_LISTEN=127.0.0.1:$port
SCRIP_PUBLIC_URL=http://127.0.0.1:$port
set +a

scrip=$built
"$scrip" migrate
"$scrip" demo --write .dev/demo.env
"$scrip" serve &
server=$!
for _ in $(seq 100); do
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || exit 1
    sleep 0.1
done

. .dev/demo.env
machine="-H 'Authorization: Bearer $SCRIP_DEVICE_KEY' -H 'Content-Type: application/json'"
cat <<TEXT

  Scrip      $SCRIP_URL   (documentation: $SCRIP_URL/docs/)
  Log-in     $SCRIP_USER / $SCRIP_PASSWORD
  Device     $SCRIP_DEVICE_ID with key $SCRIP_DEVICE_KEY
  Read key   $SCRIP_READ_KEY
  All this   .dev/demo.env
  Mails      .dev/mail/

  Validate a voucher and lock it for 30 seconds, redeem it, look at it:

curl -sw '\n' $SCRIP_URL/voucher/$SCRIP_CODE_DISCOUNT/validate $machine -d '{"deviceId":"$SCRIP_DEVICE_ID","lockDuration":30}'
curl -sw '\n' $SCRIP_URL/voucher/$SCRIP_CODE_DISCOUNT/redeem $machine -d '{"deviceId":"$SCRIP_DEVICE_ID","order":{"id":"order-$(date +%s)","amount":250}}'
curl -sw '\n' $SCRIP_URL/voucher/$SCRIP_VOUCHER_DISCOUNT -H 'Authorization: Bearer $SCRIP_READ_KEY'

  Print a campaign's coupons, and follow vouchersPdfUrl once they are ready:

token=\$(curl -s $SCRIP_URL/auth/login -H 'Content-Type: application/json' -d '{"username":"$SCRIP_USER","password":"$SCRIP_PASSWORD"}' | sed 's/.*"access_token":"\([^"]*\).*/\1/')
curl -sw '\n' -X POST "$SCRIP_URL/campaign/1/pdf?sheet=a4-3x8" -H "Authorization: Bearer \$token"
curl -sw '\n' $SCRIP_URL/campaign/1 -H "Authorization: Bearer \$token"

  Send in a sale as the machine's gateway does, and see what was sold since the month began:

curl -sw '\n' $SCRIP_URL/machine/$SCRIP_DEVICE_ID/revenuetransactions $machine -d '{"remote":$(date +%s),"occurredAt":"$(date -u +%Y-%m-%dT%H:%M:%SZ)","price":150,"plu":1,"paymenttransactions":[{"method":"card","price":150}]}'
curl -sw '\n' $SCRIP_URL/report/revenue -H "Authorization: Bearer \$token" -H 'Content-Type: application/json' -d '{"period1":{"referenceDate":"$(date -u +%Y-%m-%dT%H:%M:%SZ)","startDate":{"year":0,"month":0,"day":1},"endDate":{"year":0,"month":0,"day":0,"hour":23,"minute":59,"second":59}}}'

  Ctrl-C stops everything.

TEXT
wait "$server"
