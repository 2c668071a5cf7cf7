#!/usr/bin/env bash
# Attacks on a server of one's own, as a hostile tenant and a stranger would make them: other tenants' ids in every
# operation, read-only fields, forged tokens, bombs, broken framing, paths and addresses that lead elsewhere. Prints
# how many of each kind were held; exit code 1 if one was not.
#
#   make run                         in one terminal
#   loadtest/hostile.sh [binary]     in another; target/debug/scrip if it names none
#
# Makes two tenants and what they own in the demo, and leaves them there (make clean-dev forgets them). Never to be
# run against what anybody uses.
set -euo pipefail
binary=${1:-target/debug/scrip}
cd "$(dirname "$0")/.."

command -v python3 >/dev/null || { echo 'hostile: python3 is needed' >&2; exit 2; }
[[ -s .dev/demo.env && -s .dev/env ]] || { echo 'hostile: start the demo first: make run' >&2; exit 2; }
set -a
. .dev/env
. .dev/secret.env
. .dev/demo.env
SCRIP_DEMO=true
RUST_LOG=warn
set +a
exec python3 loadtest/hostile.py "$binary"
