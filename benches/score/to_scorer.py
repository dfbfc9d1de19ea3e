"""Turns what a run wrote into the neutral forms a scorer reads.

    python3 benches/score/to_scorer.py OUT INPUT... [--spans FILE] [--clusters FILE]

OUT is the folder given to --out, INPUT the files the run read (.jsonl, .jsonl.gz, .txt; needed because the plan counts
UTF-8 bytes and the scorer counts code points). Written, a JSON object a line:

    {"id": "d1", "spans": [[start, end], ...]}    what went, in code points of the text, end exclusive
    {"id": "d1", "cluster": "3"}                  every member of a cluster; who is alone has no line

A dropped document went whole only if --dropped is given; otherwise it has no spans. Standard library only; a plan that
does not fit the texts is an error, not a guess.
"""

import argparse
import gzip
import json
import sys
from pathlib import Path


def read_lines(path):
    """The JSON objects of a .jsonl or .jsonl.gz file."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8", newline="\n") as file:
        for line in file:
            if line.strip():
                yield json.loads(line)


def read_texts(paths, text_field, id_field):
    """Text by id; a record without an id is called file:row, a text file by its name too."""
    texts = {}
    for path in paths:
        if ".jsonl" in path.suffixes:
            for row, record in enumerate(read_lines(path), 1):
                texts[str(record.get(id_field, f"{path.name}:{row}"))] = record[text_field]
        else:
            text = path.read_bytes().decode("utf-8")
            texts[path.name] = texts[f"{path.name}:1"] = text
    return texts


def code_points(text, spans):
    """Byte spans, ascending, as code-point spans.

    >>> code_points("aé日b", [(1, 3), (6, 7)])
    [[1, 2], [3, 4]]
    """
    raw, found, byte, point = text.encode("utf-8"), [], 0, 0
    for start, end in spans:
        if not byte <= start <= end <= len(raw):
            raise ValueError(f"span {start}..{end} does not fit a text of {len(raw)} bytes after {byte}")
        first = point + len(raw[byte:start].decode("utf-8"))
        point = first + len(raw[start:end].decode("utf-8"))
        byte = end
        found.append([first, point])
    return found


def spans(plan, texts, dropped):
    """The lines for the span scorer."""
    for line in plan:
        text = texts[line["id"]]
        if line["action"] == "edit":
            cuts = [(span["start"], span["end"]) for span in line.get("spans", [])]
            yield {"id": line["id"], "spans": code_points(text, cuts)}
        elif dropped:
            yield {"id": line["id"], "spans": [[0, len(text)]]}


def clusters(lines):
    """The lines for the cluster scorer.

    >>> list(clusters([{"id": 7, "members": [{"id": "a"}, {"id": "b"}]}]))
    [{'id': 'a', 'cluster': '7'}, {'id': 'b', 'cluster': '7'}]
    """
    for line in lines:
        for member in line["members"]:
            yield {"id": member["id"], "cluster": str(line["id"])}


def write(path, lines):
    with open(path, "w", encoding="utf-8") as file:
        for line in lines:
            file.write(json.dumps(line, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("inputs", type=Path, nargs="+", metavar="INPUT")
    parser.add_argument("--spans", type=Path)
    parser.add_argument("--clusters", type=Path)
    parser.add_argument("--dropped", action="store_true", help="count a dropped document as one span")
    parser.add_argument("--text-field", default="text")
    parser.add_argument("--id-field", default="id")
    args = parser.parse_args()
    if not (args.spans or args.clusters):
        parser.error("name at least one of --spans and --clusters")
    if args.spans:
        texts = read_texts(args.inputs, args.text_field, args.id_field)
        write(args.spans, spans(read_lines(args.out / "plan.jsonl"), texts, args.dropped))
    if args.clusters:
        write(args.clusters, clusters(read_lines(args.out / "clusters.jsonl")))


if __name__ == "__main__":
    sys.exit(main())
