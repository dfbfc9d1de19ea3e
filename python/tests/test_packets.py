"""Rows that travel in packets: what comes out is what went in, by bucket, in packets of some size."""

import random
import subprocess
import sys

import pyarrow as pa
import pytest

import descale
import descale.spark
from descale import _descale


def packed(tables, keys, buckets):
    packer = _descale.Packer(keys, buckets)
    return [pa.table(packer.push(table)) for table in tables] + [pa.table(packer.finish())]


def unpacked(packets):
    return [pa.table(rows) for rows in _descale.unpack(packets)]


def rows(table):
    return sorted(table.to_pylist(), key=repr)


def tables(rng, count):
    """Numbers of all sizes, some of them null, and bytes."""
    number = lambda: rng.choice([1, -1]) * rng.getrandbits(rng.choice([0, 1, 7, 8, 9, 31, 32, 62, 63]))
    maybe = lambda value: None if rng.random() < 0.2 else value
    for _ in range(count):
        length = rng.randrange(300)
        columns = {
            "key": pa.array([rng.randrange(40) for _ in range(length)], pa.int64()),
            "number": pa.array([maybe(number()) for _ in range(length)], pa.int64()),
            "share": pa.array([maybe(rng.random()) for _ in range(length)], pa.float64()),
            "bytes": pa.array([maybe(rng.randbytes(rng.choice([0, 3, 500]))) for _ in range(length)], pa.binary()),
            "low": pa.array([rng.choice([-(1 << 63), (1 << 63) - 1, 0]) for _ in range(length)], pa.int64()),
        }
        yield pa.table(columns)


@pytest.mark.parametrize("seed", range(8))
def test_all_rows_come_out_and_those_of_one_key_have_one_bucket(seed):
    rng = random.Random(seed)
    given = list(tables(rng, 5))
    packets = pa.concat_tables(packed(given, ["key", "low"], rng.choice([1, 7, 64])))
    (back,) = unpacked(packets)
    assert rows(back) == rows(pa.concat_tables(given))
    places = {}
    for bucket in packets["bucket"].unique().to_pylist():
        (part,) = unpacked(packets.filter(pa.compute.equal(packets["bucket"], bucket)))
        for row in part.to_pylist():
            assert places.setdefault((row["key"], row["low"]), bucket) == bucket


def test_one_key_makes_many_packets_of_bounded_size():
    rng = random.Random(1)
    table = pa.table({"key": [5] * 50_000, "doc": [rng.getrandbits(40) for _ in range(50_000)]})
    packets = pa.concat_tables(packed([table], ["key"], 64))
    assert len(packets) > 20 and len(packets["bucket"].unique()) == 1
    assert max(map(len, packets["packet"].to_pylist())) < 8 * 1024 + 100
    assert packets.nbytes < table.nbytes / 2


def test_rows_of_several_kinds_travel_together():
    hits, templates = pa.table({"gram": [1, 2, 3]}), pa.table({"doc": [1, 2], "component": [1, 1]})
    packets = pa.concat_tables(packed([hits, templates, hits], [], 4))
    assert sorted(map(rows, unpacked(packets)), key=len) == [rows(templates), rows(pa.concat_tables([hits, hits]))]


def taken_down(shelf):
    """The packets in portions, as folds take them."""
    portions, ends = [], True
    while len(shelf):
        if ends:
            portions.append([])
        packets, ends = shelf.pop()
        portions[-1] += pa.table(packets).to_pylist()
    assert ends
    return portions


@pytest.mark.parametrize("seed", range(12))
def test_all_packets_of_a_bucket_are_taken_down_in_one_portion(tmp_path, seed):
    rng = random.Random(seed)
    given = packed(list(tables(rng, 5)), ["key"], rng.choice([1, 7, 64]))
    portion_bytes = rng.choice([0, 3000, 50_000, 1 << 20])
    shelf = _descale.Shelf(tmp_path, rng.choice([0, 3000, 1 << 20]), portion_bytes)
    for packets in given:
        shelf.push(packets)
    portions = taken_down(shelf)
    assert rows(pa.Table.from_pylist(sum(portions, []))) == rows(pa.concat_tables(given))
    buckets = [{row["bucket"] for row in portion} for portion in portions]
    assert sum(map(len, buckets)) == len(set.union(*buckets))
    for portion in portions:
        before_last = [row["packet"] for row in portion if row["bucket"] != portion[-1]["bucket"]]
        assert portion is portions[-1] or sum(len(row["packet"]) for row in portion) >= portion_bytes
        assert not before_last or sum(map(len, before_last)) < portion_bytes


def test_a_big_bucket_is_taken_down_bit_by_bit_and_leaves_nothing(tmp_path):
    packets = [bytes([number % 251]) * 8192 for number in range(1000)]
    shelf = _descale.Shelf(tmp_path, 1 << 20, 0)
    shelf.push(pa.table({"bucket": pa.array([7] * 1000, pa.int64()), "packet": packets}))
    assert sum(file.stat().st_size for file in tmp_path.rglob("*.run")) > 6 << 20
    portions = []
    while len(shelf):
        portions.append(shelf.pop())
    assert [ends for _, ends in portions] == [False, False, False, True]
    assert [packet for table, _ in portions for packet in pa.table(table)["packet"].to_pylist()] == packets
    del shelf
    assert not list(tmp_path.rglob("*.run"))


def test_a_shelf_needs_its_folder(tmp_path):
    with pytest.raises(descale.ResourceError, match="none"):
        _descale.Shelf(tmp_path / "none")


def test_broken_packets_are_an_error():
    (packet,) = pa.concat_tables(packed(list(tables(random.Random(2), 1)), [], 1))["packet"].to_pylist()[:1]
    for end in [0, 1, 2, 5, *range(20, len(packet), 97)]:
        try:
            unpacked(pa.table({"packet": [packet[:end]]}))
        except descale.InputError as error:
            assert "packet" in str(error)
    for seed in range(300):
        rng = random.Random(seed)
        broken = bytearray(packet)
        broken[rng.randrange(len(broken))] = rng.getrandbits(8)
        try:
            unpacked(pa.table({"packet": [bytes(broken)]}))
        except descale.InputError as error:
            assert "packet" in str(error)


@pytest.mark.parametrize("count,most", [(0, 3), (1, 3), (6, 3), (7, 3), (7, 100)])
def test_batches_are_all_rows_in_order(count, most):
    rows = _descale.Table(pa.table({"n": pa.array(range(count), pa.int64())}))
    batches = list(descale.spark._batches(rows, most))
    assert all(0 < batch.num_rows <= most for batch in batches)
    assert [n for batch in batches for n in batch.column("n").to_pylist()] == list(range(count))


def test_workers_load_no_pandas():
    program = "import sys, descale.spark; list(descale.spark._batches(descale.tokenize(['a']))); assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
