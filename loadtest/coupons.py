"""Prints campaigns, measures that, and reads the coupons as a scanner would. Run by coupons.sh."""

import glob, io, json, os, subprocess, sys, time, urllib.request, zipfile

import zxingcpp
from PIL import Image

folder, server, qr, *sizes = sys.argv[1:]
url = os.environ["SCRIP_URL"]
token = None


def ask(method, path, body=None):
    request = urllib.request.Request(url + path, method=method)
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    if body is not None:
        request.add_header("Content-Type", "application/json")
        request.data = json.dumps(body).encode()
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def ask_json(method, path, body=None):
    return json.loads(ask(method, path, body))


def until_done(campaign):
    while (progress := ask_json("GET", f"/campaign/{campaign}/progress"))["status"] != "done":
        if progress["status"] == "failed":
            sys.exit("the work has failed")
        time.sleep(0.02)
    return progress


def peak_mib():
    """The most memory that the server has held since it was last asked."""
    with open(f"/proc/{server}/status") as status:
        peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    with open(f"/proc/{server}/clear_refs", "w") as clear:
        clear.write("5")
    return peak / 1024


def codes(campaign):
    path, found = f"/campaign/{campaign}/vouchers?limit=100", []
    while rows := ask_json("GET", path):
        found += [row["code"] for row in rows]
        path = f"/campaign/{campaign}/vouchers?limit=100&after={rows[-1]['id']}"
    return found


def read(pdf, dpi):
    """What the QR codes on the rendered pages of a PDF say."""
    for old in glob.glob(f"{folder}/page*"):
        os.remove(old)
    subprocess.run(["pdftoppm", "-r", str(dpi), "-gray", pdf, f"{folder}/page"], check=True)
    found = []
    for page in sorted(glob.glob(f"{folder}/page*")):
        with Image.open(page) as image:
            found += [code.text for code in zxingcpp.read_barcodes(image, formats=zxingcpp.BarcodeFormat.QRCode)]
    return found


token = ask_json(
    "POST", "/auth/login", {"username": os.environ["SCRIP_USER"], "password": os.environ["SCRIP_PASSWORD"]}
)["access_token"]
print(f"{'vouchers':>9} {'/ QR alone':>11} {'bytes':>12} {'peak MiB':>9} {'parts':>6}  read")
for size in map(int, sizes):
    campaign = ask_json(
        "POST",
        "/campaign",
        {
            "name": f"Print {size}",
            "totalVouchers": size,
            "voucherValue": 250,
            "expiresOn": "2099-12-31",
            "voucherText1": "Free coffee",
            "voucherText2": "One hot drink of your choice",
            "voucherText3": "Ձեր սիրելի սուրճը՝ մեր հաշվին",
            "voucherText4": "At any of our machines. Not with other offers.",
        },
    )["id"]
    until_done(campaign)
    peak_mib()
    started = time.monotonic()
    ask("POST", f"/campaign/{campaign}/pdf")
    progress = until_done(campaign)
    took = time.monotonic() - started
    peak = peak_mib()
    alone = float(subprocess.run([qr, str(size)], check=True, capture_output=True, text=True).stdout)
    file = ask("GET", f"/campaign/{campaign}/pdf")
    line = f"{size:9} {took / alone:11.2f} {len(file):12} {peak:9.1f} {len(progress['parts']):6}"
    if size > 5000:
        archive = zipfile.ZipFile(io.BytesIO(file))
        if (broken := archive.testzip()) or len(archive.namelist()) != len(progress["parts"]):
            sys.exit(f"the archive is broken at {broken}")
        print(line, " archive is whole")
        continue
    pdf = f"{folder}/coupons-{size}.pdf"
    with open(pdf, "wb") as out:
        out.write(file)
    subprocess.run(["qpdf", "--check", pdf], check=True, capture_output=True)
    wanted = sorted(codes(campaign))
    verdicts = []
    for dpi in (150, 300):
        found = sorted(read(pdf, dpi))
        verdicts.append(f"{dpi} dpi: {'all' if found == wanted else f'{len(set(found) & set(wanted))}'} of {size}")
        if found != wanted:
            print(line, " ", ", ".join(verdicts))
            sys.exit("what was read is not what was printed")
    print(line, " ", ", ".join(verdicts))
