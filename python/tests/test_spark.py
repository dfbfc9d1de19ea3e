"""The same decisions on Spark as on one machine. `DESCALE_SPARK` says on which engine: sail, local, cluster (two executors)
or connect (a server of Spark Connect)."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import made_up, made_up_blocks

import descale

pytest.importorskip("pyspark")
import descale.spark  # noqa: E402

PACKAGE = Path(__file__).parent.parent
ENGINE = os.environ.get("DESCALE_SPARK", "sail")
on_one_engine = pytest.mark.skipif(ENGINE != "sail", reason="the other engines take minutes, and have little part in it")


def classic(master):
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(master).appName("descale").config("spark.ui.enabled", "false")
    return (
        builder.config("spark.sql.shuffle.partitions", "4")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
        .config("spark.executor.memory", "1g")
        .getOrCreate()
    )


@pytest.fixture(scope="module")
def spark():
    os.environ["PYSPARK_PYTHON"] = os.environ["PYSPARK_DRIVER_PYTHON"] = sys.executable
    if ENGINE == "sail":
        server = pytest.importorskip("pysail.spark").SparkConnectServer(port=0)
        server.start(background=True)
        os.environ["SPARK_REMOTE"] = f"sc://localhost:{server.listening_address[1]}"
        from pyspark.sql import SparkSession

        session = SparkSession.builder.getOrCreate()
    elif ENGINE == "connect":
        from pyspark.sql import SparkSession

        session = SparkSession.builder.remote("local[2]").getOrCreate()
        session.conf.set("spark.sql.shuffle.partitions", "4")
    else:
        session = classic({"local": "local[2]", "cluster": "local-cluster[2,1,1024]"}[ENGINE])
    yield session
    session.stop()


def frame(spark, rows, tmp_path, files=3):
    """The rows as a DataFrame over files, in an order that is not the input order."""
    import pyarrow.parquet

    folder = tmp_path / "input"
    folder.mkdir()
    for i in range(files):
        part = pa.Table.from_pylist(rows[i::files][::-1], schema=pa.Table.from_pylist(rows[:1]).schema)
        pyarrow.parquet.write_table(part, folder / f"{i}.parquet")
    return spark.read.parquet(str(folder))


def told(decisions):
    """The plan's lines, by row."""
    rows = sorted(decisions.collect(), key=lambda row: row["n"])
    numbers = {root: i for i, root in enumerate(sorted({row["cluster"] for row in rows}), 1)}
    dropped = [row for row in rows if row["action"] == "drop"]
    return [(r["n"] + 1, r["reason"], r["of"] + 1, r["similarity"], numbers[r["cluster"]]) for r in dropped]


def expected(rows, **options):
    """The same of one machine; ids are left out, so that `of` names the row."""
    table = pa.Table.from_pylist(rows).drop_columns(["id"])
    plan = descale.dedup(table, **options).plan().to_pylist()
    of = [int(line["of"].split(":")[1]) for line in plan]
    return [(p["row"], p["reason"], o, p["similarity"], p["cluster"]) for p, o in zip(plan, of)]


def check(spark, rows, tmp_path, partitions=None, broadcast_rows=5_000_000, **options):
    df = frame(spark, rows, tmp_path)
    found = descale.spark.dedup(
        df, checkpoint=tmp_path / "stages", id="n", partitions=partitions, broadcast_rows=broadcast_rows, **options
    )
    want = expected(rows, **options)
    assert want and told(found.decisions) == want
    dropped = {row - 1 for row, *_ in want}
    kept = sorted(row["n"] for row in found.kept.select("n").collect())
    assert kept == [row["n"] for row in rows if row["n"] not in dropped]


def spans(row):
    """A plan line's cuts; a row that is dropped has none."""
    return [(s["start"], s["end"], s["block"], s["why"]) for s in row["spans"] or []]


def told_cuts(decisions):
    """The plan's lines of rows that are edited, by row."""
    rows = sorted(decisions.where("action = 'edit'").collect(), key=lambda row: row["n"])
    return [(row["n"] + 1, row["reason"], spans(row)) for row in rows]


def told_blocks(blocks):
    """The lines of all blocks, without their numbers' types."""
    rows = sorted((row.asDict(recursive=True) for row in blocks.collect()), key=lambda row: row["id"])
    return [{**row, "examples": [(int(e["id"]) + 1, e["start"], e["end"]) for e in row["examples"]]} for row in rows]


def expected_blocks(result):
    place = lambda example: (int(example["id"].split(":")[1]), example["start"], example["end"])
    return [{**row, "examples": list(map(place, row["examples"]))} for row in result.blocks().to_pylist()]


def check_blocks(spark, rows, tmp_path, mode="strip", partitions=None, broadcast_rows=5_000_000, **options):
    """Runs a job that strips, and the same on one machine: all lines of plan and blocks are equal, and all texts."""
    table = pa.Table.from_pylist(rows).drop_columns(["id"])
    one = getattr(descale, mode)(table, **options)
    plan = one.plan().to_pylist()
    found = getattr(descale.spark, mode)(
        frame(spark, rows, tmp_path),
        checkpoint=tmp_path / "stages",
        id="n",
        partitions=partitions,
        broadcast_rows=broadcast_rows,
        **options,
    )
    assert told_blocks(found.blocks) == expected_blocks(one)
    assert told_cuts(found.decisions) == [(p["row"], p["reason"], spans(p)) for p in plan if p["action"] == "edit"]
    if mode == "clean":
        of = lambda line: int(line["of"].split(":")[1])
        dropped = [line for line in plan if line["action"] == "drop"]
        want = [(p["row"], p["reason"], of(p), p["similarity"], p["cluster"]) for p in dropped]
        assert told(found.decisions.where("cluster is not null")) == want
    kept = found.kept
    assert kept.columns == frame_columns(rows)
    want = {row["n"]: row["text"] for row in one.table.to_pylist()}
    assert {row["n"]: row["text"] for row in kept.select("n", "text").collect()} == want
    return plan, found


def frame_columns(rows):
    return list(rows[0])


everywhere = [("both", "strip"), ("blocks", "clean")]
once = [("both", "clean"), ("made_up", "strip"), ("made_up", "clean"), ("blocks", "strip")]


@pytest.mark.parametrize("name,mode", everywhere + [pytest.param(*pair, marks=on_one_engine) for pair in once])
def test_blocks_and_cuts_are_those_of_one_machine(spark, corpora, tmp_path, name, mode):
    plan, _ = check_blocks(spark, corpora[name], tmp_path, mode)
    assert any(line["action"] == "edit" for line in plan) == (name != "made_up")
    if mode == "clean":
        assert any(line["action"] == "drop" for line in plan)


@on_one_engine
@pytest.mark.parametrize(
    "options",
    [
        {"exact": True, "min_tokens": 20},
        {"exact": True, "min_tokens": 9, "keep_copies": "none"},
        {"keep_copies": "first", "protect": []},
        {"gram_tokens": 4, "window": 6, "min_tokens": 12, "min_copies": 3, "min_documents": 2},
    ],
)
def test_every_option_on_blocks_counts(spark, corpora, tmp_path, options):
    plan, _ = check_blocks(spark, corpora["both"], tmp_path, **options)
    assert plan


@on_one_engine
@pytest.mark.parametrize("options", [{"min_tokens": 20}, {"min_tokens": 7, "keep_copies": "none"}])
def test_whole_documents_are_blocks(spark, corpora, tmp_path, options):
    plan, _ = check_blocks(spark, corpora["made_up"], tmp_path, partitions=7, exact=True, **options)
    assert any(line["action"] == "edit" for line in plan)


@pytest.mark.parametrize("partitions", [1, pytest.param(200, marks=on_one_engine)])
def test_partitions_do_not_count_in_blocks(spark, corpora, tmp_path, partitions):
    check_blocks(spark, corpora["blocks"], tmp_path, "clean", partitions, broadcast_rows=300)


@pytest.mark.parametrize("name", ["prefer", "reviewed", "memory", "min_copy"])
@pytest.mark.parametrize("mode", ["strip", "clean"])
def test_what_would_not_count_in_blocks_is_refused(tmp_path, mode, name):
    with pytest.raises(descale.UsageError, match=name):
        getattr(descale.spark, mode)(None, checkpoint=tmp_path, **{name: ["a/"]})


@pytest.mark.parametrize("name", ["both", "made_up"])
def test_the_decisions_are_those_of_one_machine(spark, corpora, tmp_path, name):
    check(spark, corpora[name], tmp_path)


def test_options_count_and_ranks_are_read(spark, corpora, tmp_path):
    rows = [{**row, "score": (row["n"] * 7919) % 101 if row["n"] % 5 != 3 else None} for row in corpora["made_up"]]
    check(spark, rows, tmp_path, threshold=0.5, contain=0.8, keep="field:score")


@pytest.mark.parametrize(
    "options",
    [
        {"shingle_unit": "letters", "shingle_tokens": 12, "keep": "longest"},
        {"shingle_tokens": 3, "recall": 0.9, "seed": 9, "threshold": 0.6},
    ],
)
def test_every_option_that_decides_counts(spark, corpora, tmp_path, options):
    check(spark, corpora["made_up"][:500], tmp_path, **options)


@pytest.mark.parametrize("option", ["prefer", "memory", "text_field", "min_tokens", "resume", "treshold"])
def test_what_would_not_count_is_refused(tmp_path, option):
    with pytest.raises(descale.UsageError, match=option):
        descale.spark.dedup(None, checkpoint=tmp_path, **{option: ["a/"] if option == "prefer" else 64})


@pytest.mark.parametrize("partitions", [1, 200])
def test_partitions_do_not_count(spark, corpora, tmp_path, partitions):
    check(spark, corpora["made_up"], tmp_path, partitions=partitions, broadcast_rows=200)


@pytest.mark.parametrize("contain", [None, 0.8])
def test_half_of_all_rows_in_one_key(spark, tmp_path, contain):
    rows = made_up(600, seed=3)
    rows = [{**row, "text": rows[0]["text"]} if row["n"] % 2 else row for row in rows]
    check(spark, rows, tmp_path, contain=contain)


def test_half_of_all_rows_with_one_block(spark, tmp_path):
    rows = made_up(400, seed=3)
    notice = "this notice stands under half of all the texts that there are and says nothing whatever of them"
    rows = [{**row, "text": f"{row['text']}.\n\n{notice}.\n"} if row["n"] % 2 else row for row in rows]
    plan, _ = check_blocks(spark, rows, tmp_path)
    assert len(plan) == 200


def test_a_common_phrase_is_no_block(spark, tmp_path):
    """Six pages carry a notice word for word, forty say it with the end of every fourth word misread: so many places that
    only letters lead to take them for a turn of phrase, and the pages are read again without it."""
    rng = random.Random(4)
    words = ["".join(rng.choices("abcdefghijklmnoprstuvwz", k=rng.randint(2, 9))) for _ in range(3000)]
    say = lambda count: " ".join(rng.choices(words, k=count))
    notice = say(40).split()
    smear = lambda word: word[:-1] + "".join(rng.choices("0123456789", k=3))
    misread = lambda: [word if i % 4 else smear(word) for i, word in enumerate(notice)]
    tails = [notice] * 6 + [misread() for _ in range(40)]
    rows = [{"id": f"r{n}", "text": f"{say(90)}.\n\n{' '.join(t)}.\n", "n": n} for n, t in enumerate(tails)]
    plan, _ = check_blocks(spark, rows, tmp_path)
    assert len(plan) == 6 and (tmp_path / "stages" / "rematched").exists()


def test_rows_may_have_any_number(spark, corpora, tmp_path):
    rows = corpora["blocks"][:300]
    df = frame(spark, rows, tmp_path)
    df = df.withColumn("number", df["n"] * (1 << 34) - (1 << 40)).withColumn("doc", df["n"] % 7).drop("n")
    found = descale.spark.clean(df, checkpoint=tmp_path / "stages", id="number")
    assert found.kept.columns == df.columns
    table = pa.Table.from_pylist(rows).drop_columns(["id"])
    want = {(line["row"] - 1, line["action"], *spans(line)) for line in descale.clean(table).plan().to_pylist()}
    rows = [row for row in found.decisions.collect() if row["action"] != "keep"]
    assert want == {((row["number"] + (1 << 40)) >> 34, row["action"], *spans(row)) for row in rows}


def test_rows_that_change_are_noticed():
    """Places that an earlier read found do not lie in the text: no panic, but the row and the cure."""
    packed = lambda *numbers: b"".join(n.to_bytes(4, "little") for n in numbers)
    rows = lambda *numbers: pa.record_batch({"doc": [7], "text": ["one two"], "rows": [packed(*numbers)]})
    columns = {"id": [1], "documents": [2], "tokens": [9], "copies": [2], "why": ["few-documents"], "letters": [b"letters"]}
    bank = descale.spark._ready(descale.spark._Bank.of(pa.table(columns), 1))
    kernels = descale._descale
    for kernel, numbers in [
        (kernels.Grams({}), (5, 9)),
        (kernels.Sights({}), (0, 0, 1, 9, 3)),
        (kernels.Matches({}, bank, []), (1, 9, 0, 0)),
    ]:
        with pytest.raises(descale.InputError, match="document 7 is not the one it was"):
            kernel.push(rows(*numbers))


def test_blocks_where_there_are_none(spark, tmp_path):
    rows = [{"id": f"r{n}", "text": text, "n": n} for n, text in enumerate(["", None, "one two three", "four"])]
    df = frame(spark, rows, tmp_path)
    for some, left in [(df, rows), (df.where("n < 0"), [])]:
        found = descale.spark.clean(some, checkpoint=tmp_path / "none", id="n")
        assert found.blocks.count() == found.decisions.count() == 0
        assert {row["n"]: row["text"] for row in found.kept.collect()} == {row["n"]: row["text"] for row in left}


def test_partitions_may_be_empty(spark, corpora, tmp_path):
    rows = corpora["made_up"][:300]
    df = frame(spark, rows, tmp_path)
    few = df.where(df["n"] % 3 == 0).repartition(16, "n")
    found = descale.spark.dedup(few, checkpoint=tmp_path / "few", id="n")
    want = {row[0] for row in expected([row for row in rows if row["n"] % 3 == 0])}
    # One machine counts the rows it has: here the first, the fourth, the seventh ...
    assert want and {row["n"] // 3 + 1 for row in found.decisions.collect() if row["action"] == "drop"} == want
    none = descale.spark.dedup(df.where(df["n"] < 0), checkpoint=tmp_path / "none", id="n")
    assert none.decisions.count() == none.kept.count() == 0


@pytest.mark.skipif(ENGINE != "cluster", reason="elsewhere there is no executor that could die alone")
@pytest.mark.parametrize("job", ["dedup", "strip"])
def test_lost_executors_change_nothing(spark, corpora, tmp_path, monkeypatch, job):
    deadly = {"dedup": {"Edges", "Candidates", "Verdicts"}, "strip": {"Grams", "Repeats", "Judged", "Matches"}}[job]
    graves = tmp_path / "graves"
    graves.mkdir()
    for kind in ["_map", "_fold"]:
        make = getattr(descale.spark, kind)
        kill = lambda name, *a, make=make: mortal(make(name, *a), str(graves / name)) if name in deadly else make(name, *a)
        monkeypatch.setattr(descale.spark, kind, kill)
    if job == "dedup":
        check(spark, corpora["made_up"], tmp_path)
    else:
        check_blocks(spark, corpora["blocks"], tmp_path)
    assert {grave.name for grave in graves.iterdir()} == deadly


def mortal(function, grave):
    """The function over batches; the first task that is through with it takes its executor down, with all it has stored."""

    def run(batches):
        import os
        import signal

        yield from function(batches)
        try:
            os.close(os.open(grave, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        process = os.getppid()
        while process > 1:
            with open(f"/proc/{process}/cmdline") as line:
                if "CoarseGrainedExecutorBackend" in line.read():
                    os.kill(process, signal.SIGKILL)
            with open(f"/proc/{process}/stat") as line:
                process = int(line.read().rpartition(")")[2].split()[1])

    return run


def test_workers_look_for_no_garbage_among_what_they_loaded(spark):
    """A process of PySpark's own, that is; Sail's functions run in this one."""

    def run(batches):
        import gc

        from descale.spark import _kernel

        _kernel("Edges", [])
        for _ in batches:
            yield pa.RecordBatch.from_pydict({"frozen": [gc.get_freeze_count()]})

    (row,) = spark.range(1, numPartitions=1).mapInArrow(run, "frozen long").collect()
    assert (row["frozen"] > 0) == (ENGINE != "sail")


def test_rows_without_text_stay(spark, tmp_path):
    rows = made_up(60)
    rows[5]["text"] = None
    check(spark, rows, tmp_path)


def job_of_the_readme():
    readme = (PACKAGE / "README.md").read_text()
    return "# job.py" + readme.split("```python\n# job.py")[1].split("```")[0]


def test_the_job_of_the_readme(spark, tmp_path, monkeypatch, capsys):
    rows = made_up_blocks(200)
    frame(spark, rows, tmp_path)
    target = str(tmp_path / "clean.parquet")
    monkeypatch.setattr(sys, "argv", ["job.py", str(tmp_path / "input"), target])
    exec(compile(job_of_the_readme(), "job.py", "exec"), {})
    alone = descale.clean(pa.Table.from_pylist(rows)).table.to_pylist()
    texts = {row["n"]: row["text"] for row in spark.read.parquet(target).collect()}
    assert texts == {row["n"]: row["text"] for row in alone}
    shown = capsys.readouterr().out
    assert "exact" in shown and "strip" in shown


@pytest.mark.skipif(ENGINE != "local", reason="what is submitted starts a Spark of its own")
def test_the_job_of_the_readme_as_it_is_submitted(tmp_path):
    import pyarrow.parquet
    import pyspark

    rows = made_up_blocks(200)
    pyarrow.parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "pages.parquet")
    (tmp_path / "job.py").write_text(job_of_the_readme())
    line = job_of_the_readme().split("\n")[0].partition(": ")[2].replace("python/spark.conf", str(PACKAGE / "spark.conf"))
    program, *arguments = line.split()
    submit = [Path(pyspark.__file__).parent / "bin" / program, "--master", "local[2]", *arguments]
    settings = {"PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(submit, cwd=tmp_path, env={**os.environ, **settings}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "exact" in done.stdout and "strip" in done.stdout
    texts = pyarrow.parquet.read_table(tmp_path / "clean.parquet", columns=["n", "text"]).to_pylist()
    alone = descale.clean(pa.Table.from_pylist(rows)).table.to_pylist()
    assert {row["n"]: row["text"] for row in texts} == {row["n"]: row["text"] for row in alone}
