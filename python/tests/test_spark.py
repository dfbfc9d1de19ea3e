"""The same decisions on Spark as on one machine. `DESCALE_SPARK` says on which engine: sail, local, cluster (two executors)
or connect (a server of Spark Connect)."""

import os
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from conftest import made_up

import descale

pytest.importorskip("pyspark")
import descale.spark  # noqa: E402

ENGINE = os.environ.get("DESCALE_SPARK", "sail")


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
def test_lost_executors_change_nothing(spark, corpora, tmp_path, monkeypatch):
    deadly = {"Edges", "Candidates", "Verdicts"}
    graves = tmp_path / "graves"
    graves.mkdir()
    for kind in ["_map", "_fold"]:
        make = getattr(descale.spark, kind)
        kill = lambda name, *a, make=make: mortal(make(name, *a), str(graves / name)) if name in deadly else make(name, *a)
        monkeypatch.setattr(descale.spark, kind, kill)
    check(spark, corpora["made_up"], tmp_path)
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


def test_rows_without_text_stay(spark, tmp_path):
    rows = made_up(60)
    rows[5]["text"] = None
    check(spark, rows, tmp_path)


def test_the_job_of_the_readme(spark, tmp_path, monkeypatch, capsys):
    readme = (Path(__file__).parent.parent / "README.md").read_text()
    job = readme.split("```python\n# job.py")[1].split("```")[0]
    rows = made_up(200)
    frame(spark, rows, tmp_path)
    target = str(tmp_path / "unique.parquet")
    monkeypatch.setattr(sys, "argv", ["job.py", str(tmp_path / "input"), target])
    exec(compile("# job.py" + job, "job.py", "exec"), {})
    assert spark.read.parquet(target).count() == len(rows) - len(expected(rows))
    assert "exact" in capsys.readouterr().out
