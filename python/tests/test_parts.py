"""The building blocks."""

import pyarrow as pa
import pytest

import descale

ONE = "The quick brown fox jumps over the lazy dog, and the dog does not mind at all."
OTHER = ONE.replace("mind", "care")


def column(table, name):
    return table.to_pyarrow().column(name).to_pylist()


def test_tokens_have_hashes_and_places():
    table = descale.tokenize(["Ein <b>Wört</b>", None, ""])
    starts, ends = column(table, "starts"), column(table, "ends")
    text = "Ein <b>Wört</b>".encode()
    assert [text[s:e].decode() for s, e in zip(starts[0], ends[0])] == ["Ein", "Wört"]
    assert starts[1:] == [None, []]
    assert column(descale.tokenize("EIN wört"), "hashes") == column(table, "hashes")[:1]


def test_sketches_agree_in_the_share_of_the_similarity():
    sketches = column(descale.sketch([ONE, OTHER, None, ""]), "sketch")
    assert len(sketches[0]) == len(sketches[1]) > 50 and sketches[2:] == [None, []]
    same = sum(a == b for a, b in zip(sketches[0], sketches[1])) / len(sketches[0])
    assert abs(same - descale.similarity(ONE, OTHER).jaccard) < 0.2


def test_equal_texts_share_all_band_keys():
    keys = column(descale.band_keys(pa.array([ONE, ONE.upper(), "something else entirely"])), "keys")
    assert keys[0] == keys[1] and not set(keys[0]) & set(keys[2])
    more = column(descale.band_keys([ONE], threshold=0.5, recall=0.999), "keys")
    assert len(more[0]) > len(keys[0])


def test_seeds_of_a_repeat_meet():
    table = descale.seeds([ONE, "Something before it. " + ONE])
    hashes, positions = column(table, "hashes"), column(table, "positions")
    common = set(hashes[0]) & set(hashes[1])
    assert common
    shift = {positions[1][hashes[1].index(h)] - positions[0][hashes[0].index(h)] for h in common}
    assert shift == {3}
    assert len(column(descale.seeds([ONE], window=1, gram_tokens=3), "hashes")[0]) > len(hashes[0])


def test_similarity_is_exact():
    a, b = "one two three four five six", "one two three four five six seven eight nine ten"
    alike = descale.similarity(a, b)
    assert alike == (2 / 6, 1.0, 2 / 6)
    assert descale.similarity(a, b, shingle_tokens=1).jaccard == 0.6
    table = descale.similarity([a, None], pa.array([b, b]))
    assert table.to_pylist() == [
        {"jaccard": 2 / 6, "a_in_b": 1.0, "b_in_a": 2 / 6},
        {"jaccard": None, "a_in_b": None, "b_in_a": None},
    ]


def test_similarity_is_what_a_run_says(corpora):
    texts = [row["text"] for row in corpora["both"]]
    plan = descale.dedup(pa.array(texts), threshold=0.6).plan().to_pylist()
    assert len(plan) > 3
    for line in plan:
        of = int(line["of"].split(":")[1])
        assert descale.similarity(texts[line["row"] - 1], texts[of - 1]).jaccard == line["similarity"]


def test_what_would_not_count_is_refused():
    for call in [descale.sketch, descale.band_keys, lambda text, **o: descale.similarity(text, text, **o)]:
        with pytest.raises(descale.UsageError, match='no option "window"(.|\n)*known are .*shingle_unit'):
            call("a", window=3)
    with pytest.raises(descale.UsageError, match='no option "threshold"(.|\n)*known are .*window'):
        descale.seeds("a", threshold=0.5)


def test_wrong_calls_are_refused():
    with pytest.raises(descale.UsageError, match="2 texts are to be compared with 1"):
        descale.similarity(["a", "b"], ["c"])
    with pytest.raises(descale.UsageError, match="texts are expected"):
        descale.tokenize(7)
    with pytest.raises(TypeError):
        descale.tokenize(["a", 7])
    with pytest.raises(descale.UsageError, match="shingle_tokens is 0"):
        descale.sketch(["a"], shingle_tokens=0)
    with pytest.raises(descale.UsageError, match="gram_tokens is 1"):
        descale.seeds(["a"], gram_tokens=1)
