#!/usr/bin/env python3
"""Breaks one guarantee at a time in a copy of this tree, runs the tests that should notice, and
prints how many of the planted bugs were caught. `make planted` runs all of them.

    tests/planted_bugs.py                all
    tests/planted_bugs.py limit period   those whose name contains one of these words
    tests/planted_bugs.py --check        only looks whether each can still be planted

A bug is caught when the tests run and one fails; a tree that does not compile proves nothing and
counts as an error, as does a text that is no longer in its file. Exit code 1 unless all are caught.
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import tomllib

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUGS = tomllib.loads((ROOT / "tests/planted_bugs.toml").read_text())["bug"]


def plant(tree, bug):
    """Replaces the one place of `old`; returns the file and its text before, or raises ValueError."""
    path = tree / bug["file"]
    before = path.read_text()
    if before.count(bug["old"]) != 1:
        raise ValueError(f"{bug['file']} holds {bug['old']!r} {before.count(bug['old'])} times")
    path.write_text(before.replace(bug["old"], bug["new"]))
    return path, before


def run(tree, tests):
    """Runs tests by their filters; returns their exit code and what they printed."""
    command = [str(tree / "dev/test.sh"), *tests]
    done = subprocess.run(command, cwd=tree, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def copy(to):
    """Copies what git knows, and the built dependencies."""
    known = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(known, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    for name in filter(None, names.split("\0")):
        (to / name).parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).exists():
            shutil.copy2(ROOT / name, to / name)
    if (ROOT / "target/debug").exists():
        (to / "target").mkdir()
        subprocess.run(["cp", "-a", ROOT / "target/debug", to / "target/debug"], check=True)


def judge(tree, bug):
    """Returns `caught`, `MISSED`, or `ERROR` with its reason."""
    try:
        path, before = plant(tree, bug)
    except ValueError as error:
        return f"ERROR: {error}"
    try:
        code, output = run(tree, bug["tests"])
    finally:
        path.write_text(before)
    if "test result: FAILED" in output:
        return "caught"
    if code != 0 or "test result: ok. 0 passed" in output:
        return "ERROR: no test ran\n" + output[-2000:]
    return "MISSED"


def main(words):
    wanted = [bug for bug in BUGS if not words or any(word in bug["name"] for word in words)]
    results = []
    with tempfile.TemporaryDirectory(prefix="planted-") as folder:
        tree = pathlib.Path(folder)
        copy(tree)
        for bug in wanted:
            results.append(judge(tree, bug))
            print(f"{bug['name']:<48} {results[-1]}", flush=True)
    caught = results.count("caught")
    print(f"caught / planted: {caught} / {len(wanted)}")
    return 0 if caught == len(wanted) else 1


def check():
    """Says which bugs can no longer be planted."""
    stale = [bug for bug in BUGS if (ROOT / bug["file"]).read_text().count(bug["old"]) != 1]
    for bug in stale:
        print(f"{bug['name']}: {bug['file']} no longer holds its text once")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(check() if "--check" in sys.argv else main(sys.argv[1:]))
