#!/usr/bin/env bash
# Lints the OpenAPI document: the one that the tests hold the server to, or the file or URL that is given.
# Needs Node and the npm registry.
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
case ${1:-} in
    '') # Behind the head of the snapshot.
        awk 'behind >= 2; /^---$/ { behind++ }' \
            tests/it/snapshots/it__surface__the_document_is_what_it_was.snap >"$work/openapi.json" ;;
    http*) curl -fsS "$1" -o "$work/openapi.json" ;;
    *) cp "$1" "$work/openapi.json" ;;
esac
npm install --silent --no-audit --no-fund --prefix "$work" @redocly/cli@2
REDOCLY_SUPPRESS_UPDATE_NOTICE=true REDOCLY_TELEMETRY=off \
    "$work/node_modules/.bin/redocly" lint --config dev/redocly.yaml "$work/openapi.json"
