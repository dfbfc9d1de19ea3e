"""CPU seconds and peak memory of a table in memory, against the command on the same documents as JSON Lines.

    maturin build --release --manifest-path python/Cargo.toml && pip install the wheel, pyarrow
    python python/bench.py [DOCUMENTS [ROUNDS]]        # 100,000 and 3; writes to a temporary folder

Each round runs all of them in turn, each in a process of its own; the least of the rounds counts, as other work on the
machine only ever adds. The command is the wheel's: the same code, built the same way.
"""

import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path

IN_MEMORY = """
import sys, descale, pyarrow.parquet
mode, path, scratch = sys.argv[1:]
table = pyarrow.parquet.read_table(path)
if mode != "read":
    getattr(descale, mode)(table, temp_dir=scratch)
"""


def documents(count, seed=1):
    """Texts of 2 KB on average, 45 % of them copies of an earlier one with up to five words changed."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(2, 10))) for _ in range(50_000)]
    shares = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    originals = []
    for number in range(count):
        if number % 20 >= 11 and originals:
            text = rng.choice(originals).copy()
            for _ in range(rng.randint(0, 5)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = rng.choices(words, cum_weights=shares, k=rng.randint(100, 600))
            originals.append(text)
        yield {"id": str(number), "text": " ".join(text)}


def cost(*arguments):
    """CPU seconds and bytes of memory at most of a process that runs to its end."""
    process = os.posix_spawn(sys.executable, [sys.executable, *map(str, arguments)], os.environ)
    _, status, usage = os.wait4(process, 0)
    if status:
        raise SystemExit(f"{arguments} failed")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def write(folder, count):
    import pyarrow
    import pyarrow.parquet

    rows = list(documents(count))
    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "a.parquet")


def main(count=100_000, rounds=3):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        # Linux counts this process's peak to those it starts; so what takes memory is done in another.
        subprocess.run([sys.executable, __file__, "write", folder, str(count)], check=True)
        jobs = {"read": ["-c", IN_MEMORY, "read", folder / "a.parquet", folder]}
        for mode in ["dedup", "clean"]:
            out = ["--out", folder / "out", "--overwrite", "--quiet"]
            jobs[f"command {mode}"] = ["-m", "descale", mode, folder / "a.jsonl", *out]
            jobs[f"memory {mode}"] = ["-c", IN_MEMORY, mode, folder / "a.parquet", folder]
        runs = [{name: cost(*job) for name, job in jobs.items()} for _ in range(rounds)]
        least = {name: tuple(min(run[name][i] for run in runs) for i in (0, 1)) for name in jobs}
    for name, (seconds, peak) in least.items():
        print(f"{name:15} {seconds:7.2f} CPU s {peak / 1e6:7.0f} MB")
    for mode in ["dedup", "clean"]:
        ratio = (least[f"memory {mode}"][0] - least["read"][0]) / least[f"command {mode}"][0]
        print(f"{mode}: table in memory / command = {ratio:.2f}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(*map(int, sys.argv[1:]))
