"""Runs over tables in memory: the same decisions as over files, whoever made the table."""

import json

import pandas
import polars
import pyarrow as pa
import pytest
from conftest import lines, write

import descale


def plan_of(result):
    """The plan without the file's name, which a table has not."""
    return [{k: v for k, v in line.items() if k != "file"} for line in lines(result.folder / "plan.jsonl")]


@pytest.mark.parametrize("mode", ["clean", "dedup", "strip", "scan"])
@pytest.mark.parametrize("name", ["planted", "both", "made_up"])
def test_a_table_and_a_file_give_the_same_plan(corpora, tmp_path, name, mode):
    rows = corpora[name]
    run = getattr(descale, mode)
    of_file = run(write(tmp_path / "a.jsonl", rows), tmp_path / "out")
    of_table = run(pa.Table.from_pylist(rows))
    assert plan_of(of_table) == plan_of(of_file)
    assert (plan_of(of_table) != []) == ((name, mode) not in {("planted", "dedup"), ("made_up", "strip")})
    assert of_table.blocks().to_pylist() == of_file.blocks().to_pylist()
    assert of_table.clusters().to_pylist() == of_file.clusters().to_pylist()
    if mode == "scan":
        assert of_table.table is None
    else:
        written = lines(tmp_path / "out" / "data" / "a.jsonl")
        assert of_table.table.to_pylist() == [{k: row[k] for k in rows[0]} for row in written]


def test_options_reach_the_engine(corpora, tmp_path):
    rows = corpora["made_up"]
    options = dict(keep="longest", threshold=0.5, contain=0.8, shingle_tokens=3)
    of_file = descale.dedup(write(tmp_path / "a.jsonl", rows), **options)
    of_table = descale.dedup(pa.Table.from_pylist(rows), **options, threads=1, memory="16M")
    assert plan_of(of_table) == plan_of(of_file)
    reasons = {line["reason"] for line in plan_of(of_file)}
    assert reasons == {"exact", "near", "contained"}
    last = descale.dedup(pa.Table.from_pylist(rows), keep="field:n").clusters().to_pylist()
    assert all(cluster["kept"] == cluster["members"][-1]["id"] for cluster in last if len(cluster["members"]) == 2)


def test_a_person_has_the_last_word(corpora, tmp_path):
    table = pa.Table.from_pylist(corpora["planted"])
    found = descale.strip(table, tmp_path / "found")
    asked = [line for line in lines(found.folder / "blocks.jsonl") if line["decision"] == "strip"]
    assert asked
    listed = write(tmp_path / "reviewed.jsonl", [{**line, "decision": "keep"} for line in asked])
    again = descale.strip(table, reviewed=listed)
    cut = lambda result: sum(span["end"] - span["start"] for line in result.plan().to_pylist() for span in line["spans"])
    assert cut(again) < cut(found) / 2


TEXTS = ["a rose is a rose is a rose", None, "", "a rose is a rose is a rose", "nothing like it at all, never"]


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_every_string_type_and_nulls(kind):
    texts = pa.chunked_array([pa.array(TEXTS[:2]), pa.array(TEXTS[2:])]).cast(pa.string())
    texts = texts.dictionary_encode() if pa.types.is_dictionary(kind) else texts.cast(kind)
    table = pa.table({"body": texts, "n": [1, 2, 3, 4, 5]})
    result = descale.dedup(table, text_field="body")
    kept = result.table.to_pyarrow()
    assert kept.schema.field("body").type == (kind if pa.types.is_dictionary(kind) else kind)
    assert kept.column("n").to_pylist() == [1, 2, 3, 5]
    assert kept.column("body").to_pylist() == [TEXTS[i] for i in (0, 1, 2, 4)]
    decisions = result.decisions.to_pylist()
    assert [d["action"] for d in decisions] == ["keep", "keep", "keep", "drop", "keep"]
    assert decisions[3] == {
        "row": 3,
        "action": "drop",
        "reason": "exact",
        "of": "table:1",
        "similarity": 1.0,
        "cluster": 1,
        "text": TEXTS[3],
    }


def test_cuts_are_made_in_every_string_type(corpora):
    rows = corpora["planted"]
    expected = None
    for kind in [pa.string(), pa.large_string(), pa.string_view()]:
        table = pa.table({"text": pa.array([row["text"] for row in rows]).cast(kind)})
        result = descale.strip(table)
        texts = result.table.to_pyarrow().column("text")
        assert texts.type == kind and result.summary["outputs"]["edited"] > 20
        expected = expected or texts.to_pylist()
        assert texts.to_pylist() == expected
        assert sum(map(len, expected)) < sum(len(row["text"]) for row in rows)


def test_ids_may_be_numbers_texts_or_missing():
    texts = ["the same words here, all of them"] * 2
    for ids, of in [([7, 8], "7"), (["x", "y"], "x"), ([None, 3], "table:1"), ([1.5, 2.5], "1.5")]:
        plan = descale.dedup(pa.table({"id": ids, "text": texts})).plan().to_pylist()
        assert [line["of"] for line in plan] == [of]
    assert descale.dedup(pa.table({"id": pa.array([2**64 - 1, 0], pa.uint64()), "text": texts})).plan().to_pylist()[0][
        "of"
    ] == str(2**64 - 1)


def test_polars_pandas_and_arrays_come_and_go():
    frame = polars.DataFrame({"text": TEXTS, "n": range(5)})
    assert descale.dedup(frame).table.to_polars().equals(frame[[0, 1, 2, 4]])
    frame = pandas.DataFrame({"text": TEXTS, "n": range(5)})
    assert descale.dedup(frame).table.to_pandas()["n"].tolist() == [0, 1, 2, 4]
    assert len(descale.dedup(pa.array(TEXTS)).table) == 4
    assert len(descale.dedup(pa.chunked_array([TEXTS])).table) == 4
    assert len(descale.dedup(polars.Series("text", TEXTS)).table) == 4
    reader = pa.table({"text": TEXTS}).to_reader(max_chunksize=2)
    assert len(descale.dedup(reader).table) == 4
    again = descale.dedup(descale.dedup(frame).table)
    assert len(again.table) == 4


class Dataset:
    """What a Hugging Face dataset looks like from outside."""

    def __init__(self, table, format=None):
        self.table, self.format = table, format

    def with_format(self, format):
        return Dataset(self.table, format)

    def __getitem__(self, rows):
        assert self.format == "arrow"
        return self.table[rows]


def test_datasets_are_read_through_arrow():
    assert len(descale.dedup(Dataset(pa.table({"text": TEXTS}))).table) == 4


def test_an_empty_table_is_no_error():
    for table in [pa.table({"text": pa.array([], pa.string())}), pa.table({"text": pa.nulls(3)})]:
        result = descale.clean(table)
        assert len(result.table) == len(result.decisions) == len(table)
        assert result.plan().num_rows == 0 and result.table.column_names == ["text"]


def test_wrong_tables_are_refused():
    with pytest.raises(descale.UsageError, match='no column "text"; it has body'):
        descale.dedup(pa.table({"body": TEXTS}))
    with pytest.raises(descale.UsageError, match='column "text" is no text but Int64'):
        descale.dedup(pa.table({"text": [1, 2]}))


def test_other_columns_pass_untouched():
    table = pa.table(
        {"text": TEXTS, "tags": [["a"], None, [], ["b", "c"], ["d"]], "deep": [{"x": i, "y": None} for i in range(5)]}
    ).replace_schema_metadata({"made": "here"})
    kept = descale.dedup(table).table.to_pyarrow()
    assert kept.equals(table.take([0, 1, 2, 4])) and kept.schema.metadata == {b"made": b"here"}
    assert json.dumps(kept.to_pylist()[3]) == json.dumps(table.to_pylist()[4])
