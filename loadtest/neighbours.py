"""Does what one tenant, or a stranger, may do to the others, until it is told to stop. Run by neighbours.sh.

    neighbours.py WHAT      says "begun" once it is under way; ends at SIGTERM

It needs SCRIP_URL, NEIGHBOUR_KEY and NEIGHBOUR_GROUP; `print` and `export` also NEIGHBOUR_CAMPAIGN.
"""

import gzip, http.client, itertools, json, os, resource, signal, socket, sys, threading, time, urllib.parse

url = urllib.parse.urlsplit(os.environ["SCRIP_URL"])
key, group = os.environ["NEIGHBOUR_KEY"], os.environ["NEIGHBOUR_GROUP"]
campaign = os.environ.get("NEIGHBOUR_CAMPAIGN")
answers = {}


def ask(method, path, body=None, headers=(), connection=None):
    """Sends one request, and counts its answer by status."""
    own = connection or http.client.HTTPConnection(url.hostname, url.port, timeout=60)
    send = {"Authorization": f"Bearer {key}", **dict(headers)}
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        send.setdefault("Content-Type", "application/json")
    own.request(method, path, body, send)
    answer = own.getresponse()
    text = answer.read()
    answers[answer.status] = answers.get(answer.status, 0) + 1
    if connection is None:
        own.close()
    return answer.status, text


def again(work):
    """Repeats `work` for ever; what goes wrong with one request is no reason to stop."""
    while True:
        try:
            work()
        except (OSError, http.client.HTTPException):
            time.sleep(0.01)


def threads(count, work):
    for _ in range(count):
        threading.Thread(target=again, args=(work,), daemon=True).start()


def zipped(items):
    body = gzip.compress(items)
    headers = {"Content-Encoding": "gzip"}
    return lambda: ask("POST", "/machine/neighbour-1/logs", body, headers)


def bombs():
    threads(4, zipped(b"[" + b"{}," * 2_000_000 + b"{}]"))


def members():
    body = gzip.compress(b"") * 40_000
    threads(2, lambda: ask("POST", "/machine/neighbour-1/logs", body, {"Content-Encoding": "gzip"}))


def held(count, text):
    """Keeps so many requests unfinished; one that is ended is begun anew."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    connections = []

    def work():
        while len(connections) < count:
            connection = socket.create_connection((url.hostname, url.port))
            connection.sendall(text)
            connections.append(connection)
        time.sleep(0.05)
        for connection in list(connections):
            connection.setblocking(False)
            try:
                over = connection.recv(65536) == b""
            except BlockingIOError:
                over = False
            except OSError:
                over = True
            if over:
                connection.close()
                connections.remove(connection)

    threads(1, work)


def bodies():
    held(2_000, b"POST /auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{")


def heads():
    held(2_000, b"GET /voucher HTTP/1.1\r\nHost: x\r\nX-Never-Ends: ")


def readers():
    """Four who read an export at 1 KB in five seconds."""

    def work():
        connection = socket.create_connection((url.hostname, url.port))
        connection.sendall(f"GET /voucher/export HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode())
        while connection.recv(1024):
            time.sleep(5)

    threads(4, work)


def uploads():
    """Sixteen pictures of which one byte comes."""
    head = f"POST /image HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n"
    held(16, (head + "Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{").encode())


def lists():
    slow = itertools.cycle(
        ["/voucher?limit=100&where[text1][contains]=zzzz&sort=text2%20desc", "/voucher?limit=100&skip=2147483647"]
    )
    threads(16, lambda: ask("GET", next(slow)))


def renames():
    number = itertools.count()
    threads(4, lambda: ask("PUT", f"/usergroup/{group}", {"name": f"Neighbour {next(number)}"}))


def mails():
    number = itertools.count()
    threads(8, lambda: ask("POST", "/auth/forgotpassword", {"email": f"nobody{next(number)}@example.com"}))


def logins():
    number = itertools.count()
    threads(32, lambda: ask("POST", "/auth/login", {"username": f"name{next(number)}", "password": "Summer2026"}))


def generation():
    def work():
        body = {"name": "Many", "type": "discount", "totalVouchers": 200_000, "voucherValue": 10}
        made = json.loads(ask("POST", "/campaign", body)[1])["id"]
        while json.loads(ask("GET", f"/campaign/{made}/progress")[1])["status"] not in ("done", "failed"):
            time.sleep(0.1)

    threads(1, work)


def printing():
    number = itertools.count()

    def work():
        # Another text has all of it printed anew.
        ask("PUT", f"/campaign/{campaign}", {"voucherText1": f"Print {next(number)}"})
        ask("POST", f"/campaign/{campaign}/pdf")
        while json.loads(ask("GET", f"/campaign/{campaign}/progress")[1])["status"] not in ("done", "failed"):
            time.sleep(0.1)

    threads(1, work)


def export():
    threads(1, lambda: ask("GET", "/voucher/export"))


def prepare():
    """Makes the vouchers that lists, exports and prints are of; says which campaign they are in."""
    count = int(sys.argv[2])
    body = {"name": "Neighbour's", "type": "discount", "totalVouchers": count, "voucherValue": 10}
    status, text = ask("POST", "/campaign", body)
    if status != 201:
        sys.exit(f"the neighbour's campaign is refused: {status} {text.decode()}")
    made = json.loads(text)["id"]
    while (progress := json.loads(ask("GET", f"/campaign/{made}/progress")[1]))["status"] != "done":
        if progress["status"] == "failed":
            sys.exit("the neighbour's vouchers could not be made")
        time.sleep(0.1)
    print(made)


def stop(*_):
    print("answers:", json.dumps(answers), flush=True)
    os._exit(0)


what = sys.argv[1]
if what == "prepare":
    prepare()
else:
    signal.signal(signal.SIGTERM, stop)
    globals()[what]()
    time.sleep(0.5)
    print("begun", flush=True)
    signal.pause()
