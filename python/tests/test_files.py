"""Runs over files: the same bytes as the command's."""

import gzip
import json
import signal
import urllib.request
import warnings

import polars
import pytest
from conftest import command, lines, write

import descale


@pytest.fixture
def made_up(corpora, tmp_path):
    return write(tmp_path / "made_up.jsonl", corpora["made_up"])


@pytest.mark.parametrize("mode", ["clean", "dedup", "strip"])
def test_the_files_are_those_of_the_command(made_up, tmp_path, mode):
    result = getattr(descale, mode)(made_up, tmp_path / "python")
    assert command(mode, made_up, "--out", tmp_path / "command", "--quiet").returncode == 0
    for name in ["data/made_up.jsonl", "plan.jsonl", "blocks.jsonl", "clusters.jsonl", "removed.jsonl"]:
        if (tmp_path / "command" / name).exists():
            assert (tmp_path / "python" / name).read_bytes() == (tmp_path / "command" / name).read_bytes(), name
    assert result.folder == tmp_path / "python" and result.table is None
    assert result.plan().num_rows == len(lines(tmp_path / "command" / "plan.jsonl"))


def test_blocks_tell_what_the_decisions_looked_at(corpora, tmp_path):
    result = descale.strip(write(tmp_path / "a.jsonl", corpora["both"]), tmp_path / "out")
    written = lines(tmp_path / "out" / "blocks.jsonl")
    told = result.blocks().to_pylist()
    assert written and [block["id"] for block in told] == [line["id"] for line in written]
    for block, line in zip(told, written):
        assert block["evidence"] == pytest.approx({"of_site": None, **line["evidence"]})


@pytest.fixture
def bucket(monkeypatch):
    """A bucket in a store of this machine."""
    server = pytest.importorskip("moto.server").ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    environment = {"ENDPOINT_URL": address, "ALLOW_HTTP": "true", "REGION": "us-east-1"}
    for name, value in {**environment, "ACCESS_KEY_ID": "a", "SECRET_ACCESS_KEY": "b"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=a/20240101/us-east-1/s3/aws4_request, Signature=0"}
    urllib.request.urlopen(urllib.request.Request(f"{address}/bucket", method="PUT", headers=signed, data=b""))
    yield "s3://bucket"
    server.stop()


def test_results_in_an_object_store_are_read(made_up, tmp_path, bucket):
    there, here = descale.clean(made_up, f"{bucket}/out"), descale.clean(made_up, tmp_path / "out")
    assert there.folder == f"{bucket}/out" and len(here.plan()) > 300
    for table in ["plan", "blocks", "clusters"]:
        assert getattr(there, table)().to_pylist() == getattr(here, table)().to_pylist()
    assert len(descale.dedup(made_up, f"{bucket}/again").blocks()) == 0
    with pytest.raises(descale.UsageError, match="no results here"):
        descale._descale.read_lines(f"{bucket}/nowhere", "plan")


def test_without_a_folder_nothing_is_written(made_up):
    before = set(made_up.parent.iterdir())
    result = descale.dedup([made_up])
    assert result.summary["outputs"]["dropped"] > 300
    assert set(made_up.parent.iterdir()) == before
    clusters = result.clusters().to_pylist()
    assert result.summary["near"]["clusters"] == len(clusters)
    assert clusters[0]["kept"] == clusters[0]["members"][0]["id"]
    folder = result.folder
    assert folder.exists()
    del result
    assert not folder.exists()


def test_blocks_and_spans_are_tables(corpora, tmp_path):
    path = write(tmp_path / "planted.jsonl", corpora["planted"])
    result = descale.scan(path)
    blocks, plan = result.blocks().to_pylist(), result.plan().to_pylist()
    assert blocks and {"id", "template", "copies", "decision", "why", "examples"} <= blocks[0].keys()
    span = next(line for line in plan if line["action"] == "edit")["spans"][0]
    assert span["start"] < span["end"] and span["block"] >= 1


def test_restore_and_explain(made_up, tmp_path):
    out = tmp_path / "out"
    plan = descale.clean(made_up, out).plan().to_pylist()
    assert descale.restore(out, tmp_path / "again") == 1
    assert (tmp_path / "again" / "made_up.jsonl").read_bytes() == made_up.read_bytes()
    assert plan[0]["id"] in descale.explain(out, plan[0]["id"])


def test_progress_is_told_in_order(made_up):
    steps = []
    descale.clean(made_up, progress=lambda *step: steps.append(step))
    stages = list(dict.fromkeys(stage for stage, _, _ in steps))
    assert len(stages) > 3 and stages[0] == "seeds"
    assert all(isinstance(done, int) and done <= total for _, done, total in steps)


def test_what_a_callback_raises_stops_the_run(made_up, tmp_path):
    def stop(stage, done, total):
        raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        descale.clean(made_up, tmp_path / "out", progress=stop)
    # A run this short may be over before anybody looks; half of it is never there.
    names = [path.name for path in (tmp_path / "out").glob("*")]
    assert not names or "summary.json" in names


def test_ctrl_c_stops_the_run(made_up, tmp_path):
    def interrupt(stage, done, total):
        signal.raise_signal(signal.SIGINT)

    # Where the tests run in the background, the shell has the signal ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            descale.clean(made_up, tmp_path / "out", progress=interrupt)
    finally:
        signal.signal(signal.SIGINT, before)


def test_bad_records_are_warned_about(tmp_path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"text": "one two three"}\n{"text": 7}\n')
    with pytest.raises(descale.InputError, match=r"bad.jsonl:2: (.|\n)*on_bad_record skip"):
        descale.dedup(path)
    with pytest.warns(UserWarning, match="bad.jsonl:2"):
        result = descale.dedup(path, on_bad_record="skip")
    assert result.summary["inputs"]["bad_records"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning):
            descale.dedup(path, on_bad_record="skip")


def test_errors_say_what_to_do(made_up, tmp_path):
    with pytest.raises(descale.UsageError, match="there is no option \"treshold\"(.|\n)*known are .*threshold"):
        descale.dedup(made_up, treshold=0.7)
    with pytest.raises(ValueError, match="threshold is 2, which is not a share"):
        descale.dedup(made_up, threshold=2)
    with pytest.raises(descale.UsageError, match="no such file"):
        descale.dedup(tmp_path / "nowhere.jsonl")
    with pytest.raises(descale.UsageError, match="cannot read a int"):
        descale.dedup(7)
    descale.dedup(made_up, tmp_path / "out")
    with pytest.raises(descale.UsageError, match="not empty(.|\n)*with overwrite"):
        descale.dedup(made_up, tmp_path / "out")
    descale.dedup(made_up, tmp_path / "out", overwrite=True)
    with pytest.raises(OSError):
        descale.dedup(made_up, "/proc/nowhere")


def test_the_command_comes_with_the_wheel(made_up, tmp_path):
    assert "near-duplicate" in command("--help").stdout
    wrong = command("dedup", made_up, "--treshold", "1")
    assert wrong.returncode == 2 and "--threshold" in wrong.stderr
    held = command("dedup", made_up, "--dry-run", "--quiet", "--fail-if", "dropped>0")
    assert held.returncode == 1
    summary = json.loads(command("scan", made_up, "--json").stdout)
    assert summary["outputs"]["dropped"] > 300


def test_gzip_goes_through(corpora, tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(write(tmp_path / "a.jsonl", corpora["made_up"]).read_bytes()))
    result = descale.dedup(str(path), str(tmp_path / "out"))
    assert (tmp_path / "out" / "data" / "a.jsonl.gz").exists()
    assert len(result.plan()) == result.summary["outputs"]["dropped"]


def test_where_results_cannot_go_is_said(made_up, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(descale.UsageError, match="standard output"):
        descale.dedup(made_up, "-")
    with pytest.raises(descale.UsageError, match="on a table"):
        descale.dedup(lines_as_table(made_up), "s3://bucket/out")
    for option in ["mode", "dry_run"]:
        with pytest.raises(descale.UsageError, match="no option"):
            descale.dedup(made_up, **{option: True})
    assert [path.name for path in tmp_path.iterdir()] == [made_up.name]


def lines_as_table(path):
    return polars.DataFrame({"text": [line["text"] for line in lines(path)]})


def test_a_run_goes_on_and_sources_are_trusted(corpora, tmp_path):
    first, second = (write(tmp_path / f"{name}.jsonl", corpora["made_up"][:100]) for name in ["a", "b"])
    result = descale.dedup([first, second], tmp_path / "out", prefer=[str(second)], resume=True)
    plan = result.plan().to_pylist()
    assert {line["row"] for line in plan if line["file"] == "a.jsonl"} == set(range(1, 101))
    unasked = descale.dedup([first, second]).plan().to_pylist()
    assert {line["row"] for line in unasked if line["file"] == "b.jsonl"} == set(range(1, 101))
