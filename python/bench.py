"""CPU seconds and peak memory of a table in memory and of a Spark job, against the command on the same documents.

    maturin build --release --manifest-path python/Cargo.toml && pip install the wheel, pyarrow, pysail, pyspark-client
    python python/bench.py memory [--documents N] [--rounds N]
    python python/bench.py spark [--documents N] [--corpus NAME] [--master NAME] [--archive] [--conf KEY=VALUE]... [MODE...]

All is written to a temporary folder. ``memory`` takes 100,000 documents; each round runs all jobs in turn, each in a process
of its own; the least of the rounds counts, as other work on the machine only ever adds. ``spark`` takes 400,000 on Sail, or on
classic Spark where a master is named (``local-cluster[2,1,1024]``: two executors; needs pyspark and Java), with the
settings of ``spark.conf``, and also compares what was decided. ``start`` is a session that starts, runs a Python
function on every executor, and ends. With ``--archive`` the JVMs find their classes in archives, which a small job makes
before. The command is the wheel's: the same code, built the same way.
"""

import argparse
import collections
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

SETTINGS = Path(__file__).parent / "spark.conf"

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

    def original(number):
        # Made again for every copy, so that none is held.
        own = random.Random(seed << 40 | number)
        return own.choices(words, cum_weights=shares, k=own.randint(80, 500))

    for number in range(count):
        text = original(number)
        if number % 20 >= 11:
            earlier = rng.randrange(number // 20 * 11 + 11)
            text = original(earlier // 11 * 20 + earlier % 11)
            for _ in range(rng.randint(0, 5)):
                text[rng.randrange(len(text))] = rng.choice(words)
        yield {"n": number, "text": " ".join(text)}


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


class Watch:
    """What this process starts, looked at twice a second: bytes of memory at most, of all together and by kind, and CPU
    seconds by kind."""

    def __enter__(self):
        self.peak, self._end, self._ticks = collections.Counter(), threading.Event(), {}
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()

    @property
    def seconds(self):
        seconds = collections.Counter()
        for kind, ticks in self._ticks.values():
            seconds[kind] += ticks / os.sysconf("SC_CLK_TCK")
        return seconds

    def _look(self):
        while not self._end.wait(0.5):
            held = collections.Counter()
            for process in self._below(os.getpid()):
                try:
                    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
                    line = self._line(process)
                    kind = self._kind(line)
                    # A JVM that is about to run a program is seen twice, all of its memory too.
                    if kind in ["executors", "driver"] and line == self._line(fields[1]):
                        continue
                    held[kind] += self._share(process)
                except OSError:
                    continue
                self._ticks[process] = kind, sum(map(int, fields[11:13]))
            held["all"] = held.total()
            self.peak |= held

    def _below(self, process):
        for thread in Path(f"/proc/{process}/task").glob("*"):
            try:
                children = (thread / "children").read_text().split()
            except OSError:
                continue
            for child in children:
                yield child
                yield from self._below(child)

    def _line(self, process):
        return Path(f"/proc/{process}/cmdline").read_text()

    def _kind(self, line):
        marks = {"CoarseGrainedExecutorBackend": "executors", "pyspark.daemon": "workers", "java": "driver"}
        return next((kind for mark, kind in marks.items() if mark in line), "job")

    def _share(self, process):
        """What processes share is divided among them."""
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def write(folder, rows):
    import pyarrow
    import pyarrow.parquet

    schema = pyarrow.schema({"n": pyarrow.int64(), "text": pyarrow.string()})
    with open(folder / "a.jsonl", "w") as lines, pyarrow.parquet.ParquetWriter(folder / "a.parquet", schema) as file:
        while group := list(itertools.islice(rows, 20_000)):
            lines.writelines(json.dumps(row) + "\n" for row in group)
            file.write_table(pyarrow.Table.from_pylist(group, schema=schema))


def start(folder, kind, count):
    """Linux counts this process's peak to those it starts; so what takes memory is done in another."""
    subprocess.run([sys.executable, __file__, "write", folder, kind, str(count)], check=True)


def main(count, rounds):
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


def session(master, *settings):
    """A session on Sail, or on classic Spark."""
    from pyspark.sql import SparkSession

    if master == "sail":
        from pysail.spark import SparkConnectServer

        session.server = SparkConnectServer(port=0)
        session.server.start(background=True)
        return SparkSession.builder.remote(f"sc://localhost:{session.server.listening_address[1]}").getOrCreate()
    os.environ["PYSPARK_PYTHON"] = sys.executable
    builder = SparkSession.builder.master(master)
    here = [("driver.host", "127.0.0.1"), ("driver.bindAddress", "127.0.0.1"), ("executor.memory", "1g")]
    here.append(("executorEnv.SPARK_HOME", "/none"))  # Executors have PySpark from pip here, compiled.
    for key, value in here:
        builder = builder.config(f"spark.{key}", value)
    documented = [line.split(None, 1) for line in SETTINGS.read_text().splitlines() if line.startswith("spark.")]
    for key, value in documented + [setting.split("=", 1) for setting in settings]:
        builder = builder.config(key, value)
    return builder.getOrCreate()


def job(master, mode, path, out, *settings):
    """What a Spark job does."""
    import descale.spark

    spark = session(master, *settings)
    if mode == "start":
        spark.range(2, numPartitions=2).mapInArrow(lambda batches: batches, "id long").collect()
    else:
        found = getattr(descale.spark, mode)(spark.read.parquet(path), id="n", checkpoint=out + "/stages")
        found.kept.write.parquet(out + "/kept")
        found.decisions.write.parquet(out + "/decisions")
        if mode != "dedup":
            found.blocks.write.parquet(out + "/blocks")
    spark.stop()


def archived(folder, mode):
    """Settings with which the JVMs find their classes in archives. A small job makes them here; on one executor, as two would
    write the same file."""
    setting = lambda flag: [f"spark.{jvm}.defaultJavaOptions=-XX:{flag}={folder / jvm}.jsa" for jvm in ["driver", "executor"]]
    small = folder / "small"
    small.mkdir()
    start(small, "documents", 1000)
    out = ["local-cluster[1,1,1024]", mode, small / "a.parquet", small / mode]
    subprocess.run([sys.executable, __file__, "job", *out, *setting("ArchiveClassesAtExit")], check=True)
    return setting("SharedArchiveFile")


def spark(count, corpus, master, archive, settings, modes):
    """The same documents by the command and on Spark: CPU seconds of both, and whether they decided the same."""

    def told(name, seconds, watch):
        kinds = [f"{kind} {part:.1f}" for kind, part in sorted(watch.seconds.items())]
        peaks = [f"{kind} {peak / 1e6:.0f}" for kind, peak in sorted(watch.peak.items())]
        print(f"{name}: {seconds:.1f} CPU s ({', '.join(kinds)}); MB: {', '.join(peaks)}", flush=True)
        return seconds

    def run(name, *arguments):
        with Watch() as watch:
            seconds, _ = cost(*arguments)
        # Nobody waits for PySpark's workers, so what they took is known by looking alone.
        return told(name, max(seconds, watch.seconds.total()), watch)

    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        start(folder, corpus, count)
        sizes = [f"{kind} {(folder / f'a.{kind}').stat().st_size / 1e6:.0f} MB" for kind in ["jsonl", "parquet"]]
        print(f"{count} {corpus}: {', '.join(sizes)}", flush=True)
        if archive:
            settings = settings + archived(folder, modes[0])
        run(f"{master}: start", __file__, "job", master, "start", folder / "a.parquet", folder, *settings)
        for mode in modes:
            alone = {}
            for kind in ["parquet", "jsonl"]:
                out = ["--out", folder / "out", "--overwrite", "--quiet"]
                alone[kind] = run(f"{mode}: command, {kind}", "-m", "descale", mode, folder / f"a.{kind}", *out)
            name = f"{mode}: {master}"
            cluster = run(name, __file__, "job", master, mode, folder / "a.parquet", folder / mode, *settings)
            print(f"{mode}: ratio", *(f"{cluster / seconds:.2f} ({kind})" for kind, seconds in alone.items()), flush=True)
            subprocess.run([sys.executable, __file__, "compare", folder, mode], check=True)
            subprocess.run(["rm", "-r", folder / mode, folder / "out"], check=True)


def compare(folder, mode):
    """Stops at the first line of the plan or of the blocks that a Spark job has otherwise, or text that it has left
    otherwise."""
    import pyarrow.parquet

    # Sail writes nothing where there are no rows.
    table = lambda name: pyarrow.parquet.read_table(folder / mode / name).to_pylist() if (folder / mode / name).exists() else []
    rows = {row["n"]: row for row in table("decisions")}
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
    if mode != "dedup":
        blocks = sorted(table("blocks"), key=lambda row: row["id"])
        alone = [json.loads(line) for line in open(folder / "out" / "blocks.jsonl")]
        for row, line in zip(blocks, alone, strict=True):
            names = ["id", "template", "tokens", "copies", "documents", "sites", "decision", "why"]
            assert [row[name] for name in names] == [line[name] for name in names], (row, line)
        print(f"{mode}: {len(blocks)} blocks, all alike", flush=True)
    large = pyarrow.schema({"n": pyarrow.int64(), "text": pyarrow.large_string()})
    kept = pyarrow.parquet.read_table(folder / mode / "kept").cast(large).sort_by("n")
    rows = (row for batch in kept.to_batches(1000) for row in batch.to_pylist())
    with open(folder / "out" / "data" / "a.jsonl") as alone:
        assert all(ours == json.loads(line) for ours, line in zip(rows, alone, strict=True))
    print(f"{mode}: {changed} rows changed, all alike; {len(kept)} rows stay, all alike", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    ways = parser.add_subparsers(required=True, dest="way")
    memory = ways.add_parser("memory")
    memory.add_argument("--documents", type=int, default=100_000)
    memory.add_argument("--rounds", type=int, default=3)
    cluster = ways.add_parser("spark")
    cluster.add_argument("--documents", type=int, default=400_000)
    cluster.add_argument("--corpus", default="documents", choices=["documents", "pages"])
    cluster.add_argument("--master", default="sail")
    cluster.add_argument("--archive", action="store_true")
    cluster.add_argument("--conf", action="append", default=[])
    cluster.add_argument("modes", nargs="*", default=["dedup", "strip", "clean"])
    return parser.parse_args()


if __name__ == "__main__":
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]), {"documents": documents, "pages": pages}[sys.argv[3]](int(sys.argv[4])))
    elif sys.argv[1:2] == ["compare"]:
        compare(Path(sys.argv[2]), sys.argv[3])
    elif sys.argv[1:2] == ["job"]:
        sys.path.pop(0)  # Beside this file lies the source of the package, not the wheel's content.
        job(*sys.argv[2:])
    else:
        asked = arguments()
        if asked.way == "memory":
            main(asked.documents, asked.rounds)
        else:
            spark(asked.documents, asked.corpus, asked.master, asked.archive, asked.conf, asked.modes)
