#!/usr/bin/env python3
"""How many rows the plans on standard input have read from tables: of EXPLAIN (ANALYZE, FORMAT JSON), or of a
log that auto_explain has written, where only statements count that read sums or what they are sums of."""
import json
import re
import sys


def read(node):
    """Rows of a plan's scans, those included that a filter took out."""
    rows = sum(read(child) for child in node.get("Plans", []))
    if node.get("Relation Name"):
        loops = node["Actual Loops"]
        taken_out = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        rows += (node["Actual Rows"] + taken_out) * loops
    return rows


def plans(text):
    if text.lstrip().startswith("["):
        return [plan["Plan"] for plan in json.loads(text)]
    logged = (re.sub("^\t", "", found, flags=re.M) for found in re.findall(r"plan:\n((?:\t.*\n)+)", text))
    logged = [json.loads(plan) for plan in logged]
    return [plan["Plan"] for plan in logged if re.search("_rollup|_ever", plan["Query Text"])]


print(round(sum(read(plan) for plan in plans(sys.stdin.read()))))
