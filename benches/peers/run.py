#!/usr/bin/env python3
"""Measures descale beside its peers on one corpus and writes one table.

    python3 benches/peers/run.py [--size MB] [--corpus FILE] [--only NAME]... [--out DIR] [--cache DIR]
                                 [--descale BINARY --commit NAME]

Each peer gets a virtual environment of its own under --cache (outside the tree), is run once on the same JSONL, and
its whole process tree is measured; then the kept records are judged against exact truth. Results of peers that are
not run this time are taken from the last run on the same corpus, with their dates. README.md says what each driver does.
"""
import argparse
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import corpus
import table

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# What datatrove imports for this and does not ask for.
DATATROVE = ["datatrove", "spacy", "xxhash<4", "regex", "orjson", "tokenizers"]
# name -> (job, driver, packages, the package whose version the table shows, what the table calls it)
PEERS = {
    "daft": ("dedup", "daft_bands.py", ["daft", "pyarrow", "numpy"], "daft", "Daft, minhash + bands"),
    "gaoya": ("dedup", "gaoya_index.py", ["gaoya"], "gaoya", "gaoya, index with estimate"),
    "rensa-lsh": ("dedup", "rensa_lsh.py", ["rensa"], "rensa", "rensa, LSH"),
    "rensa-inline": ("dedup", "rensa_inline.py", ["rensa"], "rensa", "rensa, deduplicator with estimate"),
    "datasketch": ("dedup", "datasketch_lsh.py", ["datasketch"], "datasketch", "datasketch, LSH"),
    "text-dedup": ("dedup", "textdedup_minhash.py", ["text-dedup"], "text-dedup", "text-dedup, minhash"),
    "datatrove": ("dedup", "datatrove_minhash.py", DATATROVE, "datatrove", "datatrove, minhash"),
    "text-dedup-lines": ("strip", "textdedup_lines.py", ["text-dedup"], "text-dedup", "text-dedup, ccnet lines"),
    "datatrove-lines": ("strip", "datatrove_lines.py", DATATROVE, "datatrove", "datatrove, windows of 3 lines"),
    "lines": ("strip", "lines_exact.py", [], None, "exact lines, Python"),
}
OURS = {"descale": ("dedup", "descale dedup"), "descale-strip": ("strip", "descale strip"),
        "descale-exact": ("strip", "descale strip --exact --min-tokens 50")}
YARDSTICK = "wc"


def arguments():
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=float, default=100, help="megabytes of text in the corpus (default 100)")
    parser.add_argument("--corpus", type=pathlib.Path, help="a JSONL file with id and text, instead of a built one")
    parser.add_argument("--only", action="append", choices=[*OURS, *PEERS, YARDSTICK],
                        help="run only this one; may be given again")
    parser.add_argument("--descale", type=pathlib.Path, help="the binary (default: cargo build --release)")
    parser.add_argument("--commit", help="what the table calls that binary (default: this tree's commit if built here)")
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "target/peers", help="folder for the table")
    parser.add_argument("--cache", type=pathlib.Path, default=pathlib.Path(tempfile.gettempdir(), "descale-peers"),
                        help="folder for environments, corpus and raw results")
    return parser.parse_args()


def environment(cache, name, packages):
    """The Python of a peer's virtual environment, made and filled when it is not there."""
    folder = cache / f"env-{name}"
    if not (folder / "installed").exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        if packages:
            subprocess.run([folder / "bin/pip", "install", "--quiet", *packages], check=True)
        (folder / "installed").touch()
    return folder / "bin/python"


def version(python, package):
    """The version of an installed package."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def build_descale():
    """The release binary of this tree."""
    subprocess.run(["cargo", "build", "--release"], cwd=ROOT, check=True)
    return ROOT / "target/release/descale"


def commit():
    """The commit of this tree."""
    line = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def descale_version(options):
    """What the binary calls itself, and the commit it was built from where that is known."""
    line = [options.descale, "--version"]
    number = subprocess.run(line, check=True, capture_output=True, text=True).stdout.split()[-1]
    return f"{number} ({options.commit})" if options.commit else number


def cost(command, log, extra=None):
    """Measures a command in a fresh process; raises when it failed."""
    line = [sys.executable, HERE / "measure.py", log, *command]
    result = json.loads(subprocess.run(line, check=True, capture_output=True, env={**os.environ, **(extra or {})}).stdout)
    if result["status"]:
        raise RuntimeError(f"{command[0]} ended with {result['status']}: see {log}")
    return result


def run_ours(name, options, source, work):
    """One of descale's commands, at the settings of the comparison."""
    flags = {"descale": ["dedup", "--threshold", "0.8", "--shingle-tokens", "5"], "descale-strip": ["strip"],
             "descale-exact": ["strip", "--exact", "--min-tokens", "50"]}[name]
    out = work / "descale-out"
    shutil.rmtree(out, ignore_errors=True)
    result = cost([options.descale, *flags, source, "--out", out, "--quiet"], work / f"{name}.log")
    shutil.move(out / "data" / source.name, work / f"{name}.jsonl")
    shutil.rmtree(out)
    return {**result, "label": OURS[name][1], "job": OURS[name][0], "version": descale_version(options)}


def run_peer(name, cache, source, work):
    """One peer through its driver."""
    job, driver, packages, shown, label = PEERS[name]
    python = environment(cache, packages[0] if packages else "plain", packages)
    result = cost([python, HERE / "drivers" / driver, source, work / f"{name}.jsonl"], work / f"{name}.log")
    return {**result, "label": label, "job": job, "version": version(python, shown) if shown else ""}


def run_one(name, options, source, work):
    """Any row of the table."""
    if name == YARDSTICK:
        row = cost(["wc", "-w", source], work / "wc.log", {"LC_ALL": "C"})
        return {**row, "label": "LC_ALL=C wc -w (yardstick)", "job": "yardstick", "version": ""}
    row = run_ours(name, options, source, work) if name in OURS else run_peer(name, options.cache, source, work)
    row["kept_text_bytes"] = kept(work / f"{name}.jsonl", work / f"{name}.ids")
    return row


def kept(result, ids):
    """Writes the ids that a result kept, or none for a stripped one; returns the bytes of its text."""
    total = 0
    with open(result, encoding="utf-8") as lines, open(ids, "w", encoding="utf-8") as out:
        for line in lines:
            record = json.loads(line)
            out.write(f"{record['id']}\n")
            total += len(record["text"].encode())
    result.unlink()
    return total


def judge(cache, source, work, rows):
    """Adds the exact judgement to every dedup row; returns the facts of the corpus."""
    python = environment(cache, "truth", ["numpy"])
    results = [f"{name}={work / name}.ids" for name, row in rows.items() if row["job"] == "dedup"]
    found = json.loads(subprocess.run([python, HERE / "truth.py", source, *results], check=True, capture_output=True).stdout)
    for name, row in rows.items():
        row.update(found["verdicts"].get(name, {}))
    return found


def prepare(options):
    """The corpus file and what is known of it."""
    options.cache.mkdir(parents=True, exist_ok=True)
    if options.corpus is None:
        options.corpus = options.cache / f"corpus-{options.size:g}.jsonl"
        known = options.corpus.with_suffix(".json")
        if not known.exists():
            known.write_text(json.dumps(corpus.build(options.corpus, int(options.size * 1e6))))
        return json.loads(known.read_text())
    source = options.corpus.read_bytes()
    texts = [json.loads(line)["text"] for line in source.splitlines()]
    return {"documents": len(texts), "text_bytes": sum(len(text.encode()) for text in texts), "sources": {},
            "sha256": hashlib.sha256(source).hexdigest()}


def main():
    """Corpus, runs, judgement, table."""
    options = arguments()
    facts = prepare(options)
    work = options.cache / f"work-{facts['sha256'][:12]}"
    work.mkdir(exist_ok=True)
    options.out.mkdir(parents=True, exist_ok=True)
    if options.descale is None:
        options.descale, options.commit = build_descale(), options.commit or commit()
    options.descale = options.descale.resolve()
    kept_rows = work / "rows.json"
    rows = json.loads(kept_rows.read_text()) if kept_rows.exists() else {}
    for name in options.only or [YARDSTICK, *OURS, *PEERS]:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            options.corpus.read_bytes()  # into the page cache, the same for all
            rows[name] = {**run_one(name, options, options.corpus, work), "date": datetime.date.today().isoformat()}
        except (RuntimeError, OSError, subprocess.CalledProcessError) as reason:
            print(f"{name} left out: {reason}", file=sys.stderr)
        kept_rows.write_text(json.dumps(rows))
    truth = judge(options.cache, options.corpus, work, rows)
    table.write(options.out, facts, truth, rows)


if __name__ == "__main__":
    main()
