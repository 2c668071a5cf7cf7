"""Reads `perf script` and says what a server's processor time goes to: each sample counts for the innermost
function that one of the parts below claims. The first argument is the time of a request in microseconds."""

import collections
import re
import sys

# In this order: what stands higher claims first.
PARTS = [
    ("access: token or key", r"jsonwebtoken|identity::(tokens|access|secrets)|http::caller"),
    ("log: written to Postgres", r"audit::(write|copy|escape)|write_down|PgCopyIn"),
    ("log: entry", r"Asked::log|audit::Audit::log"),
    ("Redis: driver and parser", r"send_recv|PipelineSink|redis::(aio|parser|types|commands)|combine::|Framed|Forward"),
    ("Redis: socket", r"mio::net::uds|net::unix|unix_stream_"),
    ("Redis: calls and records", r"redemption::hot"),
    ("journal and Postgres' driver", r"redemption::journal|sqlx"),
    ("voucher: found and judged", r"redemption::(find|facts|voucher|rules|code|redeem|validate|reconcile)|quick_cache"),
    ("request body read", r"RawJson|extract::parse|json_bytes|Strict|Bytes.*from_request"),
    ("answer written as JSON", r"serde_json::ser|redemption::http::body"),
    ("metrics", r"metrics"),
    ("edge: id, room, headers, log line", r"http::(edge|trace)|tracing|Surface|Express"),
    ("router", r"axum::routing|tower::"),
    ("HTTP: answer to the socket", r"mio::net::tcp.*write|tcp::stream.*write|poll_flush|poll_write|Http1Transaction.*encode"),
    ("HTTP: request from the socket", r"poll_read|parse_headers|Http1Transaction.*parse|httparse"),
    ("HTTP: hyper between them", r"hyper|axum|http::|bytes::"),
    ("runtime and waiting", r"tokio|mio|park|epoll"),
    ("other handlers' code", r"scrip::"),
]


def stacks(lines):
    """One list of function names a sample, the innermost first."""
    stack = []
    for line in lines:
        frame = re.match(r"\s+[0-9a-f]+ (.*)", line)
        if frame:
            stack.append(frame[1])
        elif stack:
            yield stack
            stack = []
    if stack:
        yield stack


def part(stack, rules):
    for function in stack:
        for name, claims in rules:
            if claims.search(function):
                return name
    return "not claimed"


def main():
    each_us = float(sys.argv[1])
    rules = [(name, re.compile(pattern)) for name, pattern in PARTS]
    count, kernel = collections.Counter(), 0
    for stack in stacks(sys.stdin):
        count[part(stack, rules)] += 1
        kernel += "[kernel" in stack[0]
    total = sum(count.values())
    for name, samples in count.most_common():
        print(f"{name:<36}{100 * samples / total:6.1f} %{each_us * samples / total:8.2f} µs")
    print(f"{'of it in the kernel':<36}{100 * kernel / total:6.1f} %{each_us * kernel / total:8.2f} µs")


main()
