"""CPU seconds and peak memory of a table in memory and of a Spark job, against the command on the same documents.

    maturin build --release --manifest-path python/Cargo.toml && pip install the wheel, pyarrow, pysail, pyspark-client
    python python/bench.py [DOCUMENTS [ROUNDS]]        # 100,000 and 3; writes to a temporary folder
    python python/bench.py spark [DOCUMENTS [MASTER [MODE...]]]

``spark`` takes 400,000 short ones on Sail, or on classic Spark where a master is named (``local-cluster[2,1,2048]``: two
executors; needs pyspark and Java), and also compares what was decided. ``start`` is a session that starts, runs a Python
function on every executor, and ends.

Each round runs all of them in turn, each in a process of its own; the least of the rounds counts, as other work on the
machine only ever adds. The command is the wheel's: the same code, built the same way.
"""

import ctypes
import itertools
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

IN_MEMORY = """
import sys, descale, pyarrow.parquet
mode, path, scratch = sys.argv[1:]
table = pyarrow.parquet.read_table(path)
if mode != "read":
    getattr(descale, mode)(table, temp_dir=scratch)
"""


def pages(count, seed=2):
    """Pages of 600 bytes on average of 2,000 sites: the site's notice under a text, every tenth with a name of its own in it;
    a fifth of the pages are copies of an earlier one with up to three words changed."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(2, 10))) for _ in range(50_000)]
    shares = list(itertools.accumulate(1 / rank for rank in range(1, len(words) + 1)))
    say = lambda low, high: rng.choices(words, cum_weights=shares, k=rng.randint(low, high))
    notices = [say(12, 40) for _ in range(2_000)]
    texts = []
    for number in range(count):
        if number % 5 == 4:
            text = rng.choice(texts).copy()
            for _ in range(rng.randint(0, 3)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = say(30, 110)
            if len(texts) < 100_000:
                texts.append(text)
        notice = rng.choice(notices).copy()
        if number % 10 == 0:
            notice[rng.randrange(len(notice))] = f"name{number}"
        yield {"n": number, "text": f"{' '.join(text)}.\n\n{' '.join(notice)}.\n"}


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
    """CPU seconds of a process that runs to its end and of all that it starts, and bytes of memory that any of them had
    at most."""
    PR_SET_CHILD_SUBREAPER = 36  # Who outlives the process, as executors do, becomes a child of this one.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    process = os.posix_spawn(sys.executable, [sys.executable, *map(str, arguments)], os.environ)
    seconds = peak = 0
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            return seconds, peak
        if ended == process and status:
            raise SystemExit(f"{arguments} failed")
        seconds += usage.ru_utime + usage.ru_stime
        peak = max(peak, usage.ru_maxrss * 1024)


class Memory:
    """Bytes of memory of all that this process starts, together, at most; looked at twice a second."""

    def __enter__(self):
        self.peak, self._end = 0, threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    def _look(self):
        while not self._end.wait(0.5):
            self.peak = max(self.peak, sum(map(self._share, self._below(os.getpid()))))

    def _below(self, process):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            try:
                children = (thread / "children").read_text().split()
            except OSError:
                continue
            for child in children:
                yield child
                yield from self._below(child)

    def _share(self, process):
        """What processes share is divided among them."""
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except OSError:
            return 0
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def write(folder, rows):
    import pyarrow
    import pyarrow.parquet

    (folder / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "a.parquet", row_group_size=20_000)


def start(folder, kind, count):
    """Linux counts this process's peak to those it starts; so what takes memory is done in another."""
    subprocess.run([sys.executable, __file__, "write", folder, kind, str(count)], check=True)


def main(count=100_000, rounds=3):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        start(folder, "documents", count)
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


def session(master):
    """A session on Sail, or on classic Spark."""
    from pyspark.sql import SparkSession

    if master == "sail":
        from pysail.spark import SparkConnectServer

        session.server = SparkConnectServer(port=0)
        session.server.start(background=True)
        return SparkSession.builder.remote(f"sc://localhost:{session.server.listening_address[1]}").getOrCreate()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master).config("spark.ui.enabled", "false")
    for key, value in [("driver.host", "127.0.0.1"), ("driver.bindAddress", "127.0.0.1"), ("executor.memory", "1g")]:
        builder = builder.config(f"spark.{key}", value)
    for setting in filter(None, os.environ.get("BENCH_CONF", "").split(";")):
        builder = builder.config(*setting.split("=", 1))
    return builder.getOrCreate()


def job(master, mode, path, out):
    """What a Spark job does."""
    import descale.spark

    spark = session(master)
    if mode == "start":
        spark.range(2, numPartitions=2).mapInArrow(lambda batches: batches, "id long").collect()
    else:
        found = getattr(descale.spark, mode)(spark.read.parquet(path), id="n", checkpoint=out + "/stages")
        found.kept.write.parquet(out + "/kept")
        found.decisions.write.parquet(out + "/decisions")
    spark.stop()


def spark(count=400_000, master="sail", *modes):
    """The same documents by the command and on Spark: CPU seconds of both, and whether they decided the same."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        start(folder, "pages", count)
        alone = cost(__file__, "job", master, "start", folder / "a.parquet", folder)
        print(f"start: {alone[0]:.1f} CPU s")
        for mode in modes or ["dedup", "strip", "clean"]:
            out = ["--out", folder / "out", "--overwrite", "--quiet"]
            alone = cost("-m", "descale", mode, folder / "a.jsonl", *out)
            with Memory() as memory:
                cluster = cost(__file__, "job", master, mode, folder / "a.parquet", folder / mode)
            print(f"{mode}: command {alone[0]:.1f} CPU s, {master} {cluster[0]:.1f}, ratio {cluster[0] / alone[0]:.2f}")
            print(f"{mode}: command {alone[1] / 1e6:.0f} MB, {master} {memory.peak / 1e6:.0f} MB", flush=True)
            subprocess.run([sys.executable, __file__, "compare", folder, mode], check=True)


def compare(folder, mode):
    """Stops at the first line of the plan that a Spark job has otherwise, or text that it has left otherwise."""
    import pyarrow.parquet

    read = lambda name: pyarrow.parquet.read_table(folder / mode / name).to_pylist()
    rows = {row["n"]: row for row in read("decisions")}
    changed = 0
    for line in map(json.loads, open(folder / "out" / "plan.jsonl")):
        row = rows[line["row"] - 1]
        assert (row["action"], row["reason"]) == (line["action"], line["reason"]), (row, line)
        assert (row.get("spans") or []) == line.get("spans", []), (row, line)
        if line["action"] == "drop":
            assert row["of"] == int(line["of"].split(":")[1]) - 1, (row, line)
            assert row["similarity"] == line["similarity"], (row, line)
        changed += 1
    assert changed == sum(row["action"] != "keep" for row in rows.values())
    kept = sorted((row["n"], row["text"]) for row in read("kept"))
    alone = map(json.loads, open(folder / "out" / "data" / "a.jsonl"))
    assert kept == [(row["n"], row["text"]) for row in alone]
    print(f"{mode}: {changed} rows changed, all alike; {len(kept)} rows stay, all alike")


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), list({"documents": documents, "pages": pages}[sys.argv[3]](int(sys.argv[4]))))
    elif sys.argv[1:2] == ["compare"]:
        compare(Path(sys.argv[2]), sys.argv[3])
    elif sys.argv[1:2] == ["job"]:
        sys.path.pop(0)  # Beside this file lies the source of the package, not the wheel's content.
        job(*sys.argv[2:])
    elif sys.argv[1:2] == ["spark"]:
        spark(*map(int, sys.argv[2:3]), *sys.argv[3:])
    else:
        main(*map(int, sys.argv[1:]))
