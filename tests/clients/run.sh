#!/usr/bin/env bash
# Clients generated from the OpenAPI document, in TypeScript and in Python: they compile, and each vends once against a
# running server: validate, redeem, roll back. Needs Node, Python, and the registries of both.
#
#   tests/clients/run.sh                                    a server of its own, with the demo's data
#   SCRIP_ENV=.dev/demo.env tests/clients/run.sh            the server of `make run`
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$PWD/.dev/clients
server=

stop_all() {
    trap '' INT TERM
    if [[ -n $server ]]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" || true
        dev/services.sh wipe "$work/stores"
    fi
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$work"

serve() {
    local port=${PORT:-8091} scrip=${CARGO_TARGET_DIR:-target}/debug/scrip
    cargo build --features failpoints --bin scrip
    mkdir -p "$work/stores"
    dev/services.sh up "$work/stores"
    set -a
    . "$work/stores/env"
    SCRIP_DEMO=true
    SCRIP_SIGNING_SECRET=scrip-demo-of-the-generated-clients-0123456789
    SCRIP_MAIL_DIR=$work/stores/mail
    SCRIP_LISTEN=127.0.0.1:$port
    SCRIP_PUBLIC_URL=http://127.0.0.1:$port
    set +a
    "$scrip" migrate
    "$scrip" demo --write "$work/demo.env"
    "$scrip" serve &
    server=$!
    for _ in $(seq 100); do
        curl -fs "$SCRIP_PUBLIC_URL/health/ready" >"$work/ready" && break
        kill -0 "$server" 2>/dev/null || exit 1
        sleep 0.1
    done
}

if [[ -z ${SCRIP_ENV:-} ]]; then
    serve
    SCRIP_ENV=$work/demo.env
fi
set -a
. "$SCRIP_ENV"
set +a
curl -fsS "$SCRIP_URL/openapi.json" -o "$work/openapi.json"

in_typescript() {
    cp tests/clients/{package.json,tsconfig.json,vend.ts} "$work/"
    cd "$work"
    npm install --silent --no-audit --no-fund
    npx openapi-typescript openapi.json -o schema.d.ts
    npx tsc
    node vend.js
}

in_python() {
    cp tests/clients/vend.py "$work/"
    cd "$work"
    [[ -x venv/bin/python ]] || python3 -m venv venv
    venv/bin/pip install -q 'openapi-python-client==0.29.*' ruff mypy
    PATH=$work/venv/bin:$PATH openapi-python-client generate --path openapi.json --output-path python --overwrite \
        --meta none >generate.log 2>&1 || { cat generate.log; exit 1; }
    PYTHONPATH=. venv/bin/mypy --ignore-missing-imports vend.py
    PYTHONPATH=. venv/bin/python vend.py
}

(in_typescript)
(in_python)
