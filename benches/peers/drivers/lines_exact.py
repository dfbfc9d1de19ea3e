"""Exact lines: every line of text that an earlier one equals is taken out (a set of hashes); plain Python."""
import json
import sys

from common import records


def main(source, target):
    """One pass; short and blank lines count like others, blank ones stay."""
    seen = set()
    with open(target, "w", encoding="utf-8") as out:
        for record in records(source):
            kept = []
            for line in record["text"].split("\n"):
                mark = hash(line.strip())
                if not line.strip() or mark not in seen:
                    kept.append(line)
                    seen.add(mark)
            record["text"] = "\n".join(kept)
            out.write(json.dumps(record, ensure_ascii=False) + "\n")


main(*sys.argv[1:])
