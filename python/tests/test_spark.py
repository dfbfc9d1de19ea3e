"""The same decisions on Spark as on one machine. `DESCALE_SPARK` says on which engine: sail, local or cluster (two executors)."""

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


@pytest.mark.parametrize("partitions", [1, 40])
def test_partitions_do_not_count(spark, corpora, tmp_path, partitions):
    check(spark, corpora["made_up"], tmp_path, partitions=partitions, broadcast_rows=200)


def test_half_of_all_rows_in_one_key(spark, tmp_path):
    rows = made_up(600, seed=3)
    rows = [{**row, "text": rows[0]["text"]} if row["n"] % 2 else row for row in rows]
    check(spark, rows, tmp_path)


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
