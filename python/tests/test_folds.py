"""Folds on their own, against what their definition says."""

import random

import pyarrow as pa
import pytest

from descale import _descale


def painted(edges):
    """Both ends of every edge get the smaller colour until nothing changes."""
    colours = {end: end for edge in edges for end in edge}
    changed = True
    while changed:
        changed = False
        for edge in edges:
            least = min(map(colours.get, edge))
            changed |= any(colours[end] != least for end in edge)
            colours.update(dict.fromkeys(edge, least))
    return colours


@pytest.mark.parametrize("seed", range(20))
def test_components_are_those_of_the_definition(seed):
    rng = random.Random(seed)
    names = [rng.choice([1, -1]) * rng.getrandbits(rng.choice([3, 40, 63])) for _ in range(rng.randint(1, 80))]
    edges = [(rng.choice(names), rng.choice(names)) for _ in range(rng.randrange(90))]
    union = _descale.Union()
    for start in range(0, len(edges), 30):
        ends = list(zip(*edges[start : start + 30]))
        union.push(pa.table({"doc": pa.array(ends[0], pa.int64()), "other": pa.array(ends[1], pa.int64())}))
    found = pa.table(union.finish()).to_pylist()
    assert [(row["doc"], row["component"]) for row in found] == sorted(painted(edges).items())


@pytest.mark.parametrize("seed", range(5))
def test_hits_get_the_templates_of_their_grams(seed):
    rng = random.Random(seed)
    hits = {name: [rng.randrange(-20, 20) for _ in range(200)] for name in ["gram", "doc", "position", "copies", "marks"]}
    of = {gram: rng.randrange(-20, gram + 1) for gram in rng.sample(range(-20, 20), 15)}
    fold = _descale.Templates()
    fold.push(pa.table(hits).slice(0, 90))
    fold.push(pa.table({"doc": list(of.keys()), "component": list(of.values())}))
    fold.push(pa.table(hits).slice(90))
    rows = pa.table(hits).to_pylist()
    assert pa.table(fold.finish()).to_pylist() == [{**row, "template": of.get(row["gram"], row["gram"])} for row in rows]
