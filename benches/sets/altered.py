#!/usr/bin/env python3
"""Makes altered twins of a two-document set with one block three times: other markup, other telephone, a line less.

    altered.py SEEDS OUT

SEEDS is a set as the scorer reads it. OUT receives a folder per alteration: `markup`, `phone`, `dropped`, `all`. Only the
second and the third copy are altered, so that no two copies stay equal in `all`.
"""
import argparse
import gzip
import json
from pathlib import Path

from common import Document, write


def markup(text, copy):
    if copy == 2:
        return text.replace("#### ", "<h4>").replace("  \n", "<br/>\n").replace("[", "<a>").replace("]", "</a>")
    return text.replace("**", "__").replace("  \n", "\n* ").replace("Email:", "*Email:*")


def phone(text, copy):
    return text.replace("841-951. 99.66", f"841-77{copy}. 10.44")


def dropped(text, copy):
    lines = text.split("\n")
    drop = next(i for i, line in enumerate(lines) if ("Telefax" if copy == 2 else "Annette") in line)
    return "\n".join(lines[:drop] + lines[drop + 1:])


ALTERATIONS = {"markup": [markup], "phone": [phone], "dropped": [dropped], "all": [dropped, phone, markup]}


def read(path):
    with gzip.open(path, "rt", encoding="utf8") as lines:
        return [json.loads(line) for line in lines]


def altered(row, spans, steps):
    document, at = Document(), 0
    for copy, span in enumerate(sorted(spans, key=lambda s: s["start"]), 1):
        text = row["text"][span["start"]:span["end"]]
        for step in steps if copy > 1 else []:
            text = step(text, copy)
        document.add(row["text"][at:span["start"]])
        document.add(text, span["kind"], span["group"])
        at = span["end"]
    document.add(row["text"][at:])
    return document


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("seeds")
    parser.add_argument("out")
    args = parser.parse_args()
    rows = read(Path(args.seeds) / "inputs.jsonl.gz")
    truth = {t["id"]: t["spans"] for t in read(Path(args.seeds) / "truth_spans.jsonl.gz")}
    for name, steps in ALTERATIONS.items():
        write(Path(args.out) / name, [(r["id"], altered(r, truth[r["id"]], steps), {"source": r["source"]}) for r in rows])


if __name__ == "__main__":
    main()
