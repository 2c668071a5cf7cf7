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

command -v cargo >/dev/null || { echo 'run: please install Rust: https://rustup.rs' >&2; exit 1; }
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
    echo "run: something else listens on port $port: choose another, PORT=8081 make run" >&2
    exit 1
fi
dev/services.sh up .dev
cargo build --release --bin scrip

# A secret of this demo's own; a server takes one that begins so only as a demo.
if [[ ! -s .dev/secret.env ]]; then
    (umask 077; echo "SCRIP_SIGNING_SECRET=scrip-demo-$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')" >.dev/secret.env)
fi
set -a
. .dev/env
. .dev/secret.env
SCRIP_DEMO=true
SCRIP_LISTEN=127.0.0.1:$port
SCRIP_PUBLIC_URL=http://127.0.0.1:$port
set +a

scrip=${CARGO_TARGET_DIR:-target}/release/scrip
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
bearer="-H 'Authorization: Bearer $SCRIP_DEVICE_KEY'"
json="-H 'Content-Type: application/json'"
# The brand's vouchers are not the machine's to look at: that is for the user.
log_in="curl -s $SCRIP_URL/auth/login $json -d '{\"username\":\"$SCRIP_USER\",\"password\":\"$SCRIP_PASSWORD\"}'"
log_in="$log_in | sed 's/.*\"access_token\":\"\([^\"]*\).*/\1/'"
cat <<TEXT

  Scrip      $SCRIP_URL   (documentation: $SCRIP_URL/docs/)
  Log-in     $SCRIP_USER / $SCRIP_PASSWORD
  Device     $SCRIP_DEVICE_ID with key $SCRIP_DEVICE_KEY
  All this   .dev/demo.env

  Validate a voucher and lock it for 30 seconds, redeem it, look at it:

curl -s $SCRIP_URL/voucher/$SCRIP_CODE_DISCOUNT/validate $bearer $json -d '{"deviceId":"$SCRIP_DEVICE_ID","lockDuration":30}'
curl -s $SCRIP_URL/voucher/$SCRIP_CODE_DISCOUNT/redeem $bearer $json -d '{"deviceId":"$SCRIP_DEVICE_ID","order":{"id":"order-$(date +%s)","amount":250}}'
curl -s $SCRIP_URL/voucher/$SCRIP_VOUCHER_DISCOUNT -H "Authorization: Bearer \$($log_in)"

  Ctrl-C stops everything.

TEXT
wait "$server"
