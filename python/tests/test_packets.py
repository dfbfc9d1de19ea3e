"""Rows that travel in packets: what comes out is what went in, by bucket, in packets of some size."""

import random

import pyarrow as pa
import pytest

import descale
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
