#!/usr/bin/env python3
"""The attacks of hostile.sh. Each is one request and what must not come of it."""

import base64
import collections
import gzip
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.parse

SCRIP = sys.argv[1]
SERVER = urllib.parse.urlparse(os.environ["SCRIP_URL"])
HOST, PORT = SERVER.hostname, SERVER.port or 80
MARK = "mk" + os.urandom(5).hex()
held, broken = collections.Counter(), collections.defaultdict(list)


def judge(kind, holds, what):
    """Counts an attack, and remembers one that got through."""
    held[kind] += bool(holds)
    if not holds:
        broken[kind].append(what)


def ask(method, path, token=None, body=None, headers=None, raw=None):
    """One request: status, text."""
    connection = http.client.HTTPConnection(HOST, PORT, timeout=30)
    headers = dict(headers or {})
    if token:
        headers["Authorization"] = f"Bearer {token}"
    if body is not None:
        raw = json.dumps(body).encode()
    if raw is not None:
        headers.setdefault("Content-Type", "application/json")
    try:
        connection.request(method, path, raw, headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def made(method, path, token, body):
    """A request that has to succeed, or there is nothing to attack."""
    status, text = ask(method, path, token, body)
    if not 200 <= status < 300:
        sys.exit(f"hostile: {method} {path}: {status} {text}")
    return json.loads(text)


def log_in(name, password):
    return made("POST", "/auth/login", None, {"username": name, "password": password})["access_token"]


def tenant(root, brand, name):
    """A group with a user of its own, and an access token of that user."""
    password = "hostile " + os.urandom(9).hex()
    group = made("POST", "/usergroup", root, {"name": name, "parent": brand})["id"]
    add = [SCRIP, "user", "add", "--username", name, "--email", f"{name}@example.com",
           "--group", str(group), "--password-stdin"]
    subprocess.run(add, input=password.encode(), check=True)
    return {"group": group, "name": name, "token": log_in(name, password)}


def belongings(whose):
    """One of what there is, marked; the ids by the first part of the path."""
    token, ids = whose["token"], {"usergroup": [whose["group"]], "user": [], "voucher": []}
    me = made("GET", "/user/me", token, None)
    ids["user"] = [me["id"]]
    # In this order: an id in a draft is that of what was made before it.
    drafts = {
        "location": {"name": MARK, "address": MARK, "postcode": "1", "city": MARK, "country": "NL"},
        "machinegroup": {"name": MARK}, "locationgroup": {"name": MARK}, "machinetype": {"name": MARK},
        "manufacturer": {"name": MARK, "machineTypes": ["machinetype"]},
        "errorprofile": {"name": MARK, "machineType": "machinetype", "manufacturer": "manufacturer"},
        "machinemodel": {"name": MARK, "machineType": "machinetype", "manufacturer": "manufacturer",
                         "errorProfile": "errorprofile"},
        "machine": {"name": MARK, "hostname": MARK, "location": "location", "machineModel": "machinemodel",
                    "machineType": "machinetype", "manufacturer": "manufacturer", "currency": 978},
        "alertgroup": {"name": MARK}, "userreport": {"name": MARK}, "dashboard": {"name": MARK},
        "translation": {"key": MARK, "language": me["language"]["id"], "value": MARK},
        "campaign": {"name": MARK, "type": "gift", "totalVouchers": 0, "voucherValue": 500, "voucherText1": MARK},
        "apikey": {"name": MARK, "scopes": ["campaign.read"]},
        "integration": {"name": MARK, "externalId": 1},
    }
    first = lambda value: ids[value][0] if isinstance(value, str) and value in ids else value
    for area, draft in drafts.items():
        draft = {name: [first(one) for one in value] if isinstance(value, list) else first(value)
                 for name, value in draft.items()}
        status, text = ask("POST", f"/{area}", token, draft)
        if status != 201:
            sys.exit(f"hostile: POST /{area}: {status} {text}")
        ids[area] = [json.loads(text)["id"]]
    voucher = {"campaign": ids["campaign"][0], "type": "gift", "value": 500, "code": f"{MARK}-1", "text1": MARK}
    ids["voucher"] = [made("POST", "/voucher", token, voucher)["id"]]
    return ids


def foreign_ids(document, ids, thief, device):
    """Every operation with ids of another tenant: nothing of it is told, nothing changes."""
    every = [one for of_area in ids.values() for one in of_area]
    for path, item in document["paths"].items():
        area = path.split("/")[1]
        for method in item.keys() & {"get", "post", "put", "delete"}:
            names = re.findall(r"{(\w+)}", path)
            tried = ids.get(area) or every[:3]
            for one in tried if names else [None]:
                uri = path
                for name in names:
                    values = {"alias": "userGroup", "hostname": "vm-0001", "resource": area, "code": f"{MARK}-1"}
                    uri = uri.replace("{%s}" % name, str(values.get(name, one)))
                body = {"name": "taken over"} if method in ("post", "put") else None
                for token in (thief, device, None):
                    if not names and method != "get":
                        continue
                    status, text = ask(method.upper(), uri, token, body)
                    told = MARK in text and MARK not in uri
                    changed = 200 <= status < 300 and method in ("put", "delete") and one in ids.get(area, [])
                    judge("foreign ids", not told and not changed and status < 500, f"{method} {uri}: {status}")


def read_only_fields(owner, ids, other):
    """What a client must not set is refused, and stays."""
    for area, fields in {
        "campaign": {"id": 1, "createdAt": "2000-01-01T00:00:00Z", "userGroup": other, "version": 9, "generated": 1},
        "voucher": {"id": "x", "redemptionCount": -5, "totalRedemptionCount": 0.5, "amountRedeemed": -1,
                    "balance": 999999, "key": "x"},
        "user": {"id": 1, "passwordHash": "x", "emailConfirmed": 0, "disabledAt": "2000-01-01T00:00:00Z",
                 "session_generation": 9, "userGroup": other},
        "usergroup": {"id": 1, "deleted": True, "parent": other, "admin": {}},
    }.items():
        path = f"/{area}/{ids[area][0]}"
        for field, value in fields.items():
            status, text = ask("PUT", path, owner, {field: value})
            judge("read-only fields", status == 422 and f'"/{field}"' in text, f"{path} {field}: {status} {text}")


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def forged_tokens(token):
    """Tokens that nobody signed, or somebody else did."""
    head, claims, signature = token.split(".")
    decoded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    forged = [f"{part({'alg': alg, 'typ': 'JWT'})}.{claims}.{end}"
              for alg in ("none", "None", "NONE", "", "RS256", "HS384", "ES256") for end in ("", signature)]
    forged += [f"{part({'alg': 'HS256', 'typ': 'JWT', **more})}.{claims}.{signature}"
               for more in ({"kid": "../../dev/null"}, {"kid": ""}, {"jku": "http://127.0.0.1/"}, {"jwk": {"kty": "oct", "k": ""}})]
    for change in ({"sub": 1}, {"sub": "1"}, {"exp": 4102444800}, {"aud": "link"}):
        forged.append(f"{head}.{part({**decoded, **change})}.{signature}")
    for secret in ("", "secret", "changeme", "scrip", "0123456789abcdef0123456789abcdef", "\0" * 32):
        text = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{claims}"
        mac = hmac.new(secret.encode(), text.encode(), hashlib.sha256).digest()
        forged.append(f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}")
    forged += [f"{head}.{claims}.", f"{head}.{claims}", f"{head}..{signature}", token + "x", token[:-2], "scrip_" + "0" * 43]
    for one in forged:
        status, _ = ask("GET", "/user/me", one)
        judge("forged tokens", status == 401, f"{one[:60]}: {status}")


def bombs(token, device):
    """Bodies that weigh more unpacked, or nest deeper, than they look: refused, and soon."""
    logs = "/machine/vm-0001/logs"
    zipped = {"Content-Encoding": "gzip"}
    many = gzip.compress(b"[" + b"{}," * 2_000_000 + b"{}]")
    for what, path, who, raw, headers in [
        ("2,000,001 records", logs, device, many, zipped),
        ("64 MiB of blanks", logs, device, gzip.compress(b" " * (64 << 20)), zipped),
        ("40,000 members", logs, device, gzip.compress(b"") * 40_000, zipped),
        ("zipped twice", logs, device, gzip.compress(many), zipped),
        ("depth 200,000", "/campaign", token, b"[" * 200_000, {}),
        ("2 MiB", "/campaign", token, b'{"name":"' + b"x" * (2 << 20) + b'"}', {}),
        ("1 MB name at log-in", "/auth/login", None, b'{"' + b"x" * 1_000_000 + b'":1}', {}),
        ("1 MB password", "/auth/login", None, b'{"username":"x","password":"' + b"x" * 1_000_000 + b'"}', {}),
    ]:
        began = time.monotonic()
        try:
            status, text = ask("POST", path, who, raw=raw, headers=headers)
        except (ConnectionError, http.client.HTTPException):
            status, text = 413, ""
        soon = time.monotonic() - began < 10
        judge("bombs", 400 <= status < 500 and soon and len(text) < 100_000, f"{what}: {status}, {len(text)} bytes")


def talk(data, patience=3):
    """Sends bytes as they are: the status of each answer that comes."""
    with socket.create_connection((HOST, PORT), timeout=patience) as connection:
        connection.sendall(data)
        answers = b""
        try:
            while chunk := connection.recv(65_536):
                answers += chunk
        except (TimeoutError, ConnectionError):
            pass
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3})", answers)]


def framing():
    """Requests that two servers could read differently: never more than one answer, and that a refusal."""
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    post = b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    for what, data in [
        ("length and chunks", post + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + smuggled),
        ("two lengths", post + b"Content-Length: 2\r\nContent-Length: 44\r\n\r\n{}" + smuggled),
        ("blank before the colon", post + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n" + smuggled),
        ("folded header", post + b"X: a\r\n b\r\nContent-Length: 2\r\n\r\n{}" + smuggled),
        ("length with a sign", post + b"Content-Length: +2\r\n\r\n{}" + smuggled),
        ("bad chunk", post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + smuggled),
        ("unknown coding", post + b"Transfer-Encoding: x, identity\r\n\r\n" + smuggled),
        ("NUL in a header", b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: a\0b\r\n\r\n"),
        ("headers of 1 MB", b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"),
        ("400 headers", b"GET /health/live HTTP/1.1\r\nHost: x\r\n" + b"X: a\r\n" * 400 + b"\r\n"),
        ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ]:
        try:
            statuses = talk(data)
        except ConnectionError:
            statuses = []
        judge("framing", len(statuses) <= 1 and all(400 <= status < 500 for status in statuses), f"{what}: {statuses}")


def paths():
    """Paths that lead out of what is served."""
    up = ["../" * 6, "..%2f" * 6, "%2e%2e/" * 6, "%2e%2e%2f" * 6, "..%5c" * 6, "....//" * 6, "%252e%252e%252f" * 6, "..;/" * 6]
    for start in ("/", "/docs/", "/v1/", "/account/", "/image/", "/docs/problems/"):
        for way in up:
            for goal in ("etc/passwd", "proc/self/environ", "Cargo.toml"):
                status, text = ask("GET", start + way + goal)
                leaks = "root:" in text or "DATABASE_URL" in text or "[package]" in text
                judge("paths", not leaks and status < 500 and status != 200, f"{start}{way}{goal}: {status}")


def inner_addresses(token):
    """Addresses of the server's own network as targets of deliveries."""
    hosts = ["127.0.0.1", "127.1", "0.0.0.0", "0", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "10.0.0.1",
             "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1", "198.18.0.1", "224.0.0.1", "255.255.255.255",
             "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[fe80::1]", "[fc00::1]",
             "[ff02::1]", "\u2460\u2461\u2466.0.0.1", "127\u30020\u30020\u30021", "localhost"]
    for number, host in enumerate(hosts):
        for scheme in ("https", "http"):
            draft = {"name": f"{MARK} {number}{scheme}", "externalId": number,
                     "url": f"{scheme}://{host}/", "events": ["campaign.ready"]}
            status, text = ask("POST", "/integration", token, draft)
            judge("inner addresses", status == 422 and '"/url"' in text, f"{scheme}://{host}/: {status} {text}")


def main():
    root = log_in(os.environ["SCRIP_USER"], os.environ["SCRIP_PASSWORD"])
    brand = made("GET", "/user/me", root, None)["userGroup"]["id"]
    owner, thief = tenant(root, brand, f"{MARK}-owner"), tenant(root, brand, "thief-" + os.urandom(5).hex())
    ids = belongings(owner)
    document = made("GET", "/openapi.json", None, None)
    device = os.environ["SCRIP_DEVICE_KEY"]
    foreign_ids(document, ids, thief["token"], device)
    read_only_fields(owner["token"], ids, thief["group"])
    forged_tokens(thief["token"])
    bombs(thief["token"], device)
    framing()
    paths()
    inner_addresses(thief["token"])
    print(f"{'attacks':<18}{'tried':>7}{'held':>7}")
    for kind in sorted(held.keys() | broken.keys()):
        print(f"{kind:<18}{held[kind] + len(broken[kind]):>7}{held[kind]:>7}")
        for what in broken[kind][:10]:
            print(f"  not held: {what}")
    sys.exit(1 if broken else 0)


main()
