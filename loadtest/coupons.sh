#!/usr/bin/env bash
# What coupons on paper cost, and whether they can be read. Campaigns of several sizes are printed by a
# server of this build: time as a ratio to encoding their QR codes alone, bytes, and the server's peak
# memory. Then every page of those of 5,000 and less is rendered at 150 and 300 dpi and read with
# zxing-cpp, and what was read is compared with the vouchers that the API lists.
#
#   loadtest/coupons.sh [vouchers...]     1 24 5000 100000 by default
#
# Needs qpdf, pdftoppm and a Python with venv from Debian's packages; zxing-cpp comes from PyPI.
. "$(dirname "${BASH_SOURCE[0]}")/world.sh"

for program in qpdf pdftoppm python3; do
    command -v "$program" >/dev/null || die "install $program first (qpdf, poppler-utils, python3-venv)"
done
build
mkdir -p "$dir"
[[ -x $dir/python/bin/pip ]] || python3 -m venv "$dir/python"
"$dir/python/bin/pip" install --quiet --disable-pip-version-check zxing-cpp pillow
start_world
(($#)) || set -- 1 24 5000 100000
"$dir/python/bin/python" "$root/loadtest/coupons.py" "$dir" "$server" "$root/target/release/examples/qr" "$@"
