"""Folds on their own, against what their definition says."""

import random

import pyarrow as pa
import pytest

import descale
import descale.spark
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


def test_a_map_that_forgets_keys_joins_the_same_documents():
    """More keys than a map remembers; half of all documents have the same."""
    rng = random.Random(5)
    originals = [" ".join(str(rng.getrandbits(40)) for _ in range(8)) for _ in range(14_000)]
    texts = originals + rng.choices(originals, k=2_000)
    hot = len(texts)
    texts = texts + ["one text that very many documents have and nothing else beside it"] * hot
    rng.shuffle(texts)
    bands, edges, union, rows = _descale.Bands({}), _descale.Edges(), _descale.Union(), 0
    for start in range(0, len(texts), 1000):
        documents = pa.table({"doc": pa.array(range(start, start + 1000)), "text": texts[start : start + 1000]})
        postings = pa.table(bands.push(documents))
        edges.push(postings)
        rows += postings.num_rows
    union.push(pa.table(edges.finish()))
    first = {}
    groups = [(doc, first.setdefault(text, doc)) for doc, text in enumerate(texts)]
    expected = painted([pair for pair in groups if pair[0] != pair[1]])
    found = pa.table(union.finish()).to_pylist()
    assert [(row["doc"], row["component"]) for row in found] == sorted(expected.items())
    # What all have is sent once a document, or hardly more.
    keys = sum(map(len, descale.band_keys(originals).to_pyarrow()["keys"].to_pylist()))
    others = 2_000 * keys // len(originals)
    assert rows < keys + others + 1.1 * hot


def folded(fold, *tables):
    """What a fold makes of rows that come in pieces."""
    for table in tables:
        half = table.num_rows // 2
        fold.push(table.slice(0, half))
        fold.push(table.slice(half))
    return pa.table(fold.finish())


def whole_numbers(rows, names):
    return pa.table({name: pa.array([row[name] for row in rows], pa.int64()) for name in names})


def repeated(rng, documents):
    """Documents of words, some of them pieces of others: where each word that repeats stands, and where it stands first."""
    texts = []
    for _ in range(documents):
        text = [rng.randrange(1 << 40) for _ in range(rng.randrange(30))]
        for _ in range(rng.randrange(4)):
            other = rng.choice(texts) if texts else []
            start = rng.randrange(len(other) + 1)
            at = rng.randrange(len(text) + 1)
            text[at:at] = other[start : start + rng.randrange(20)]
        texts.append(text)
    numbers = sorted(rng.sample(range(-(1 << 45), 1 << 45), documents))
    places = {}
    for doc, text in zip(numbers, texts):
        for position, word in enumerate(text):
            places.setdefault(word, []).append((doc, position))
    hits = {
        (doc, position): (places[word][0], len(places[word]))
        for doc, text in zip(numbers, texts)
        for position, word in enumerate(text)
        if len(places[word]) > 1
    }
    return numbers, hits


def runs_of(rng, numbers, hits):
    """The documents that have hits, with their runs."""
    rows = [
        {"doc": doc, "position": at, "back": doc - home, "shift": at - spot, "copies": copies, "marks": None}
        for (doc, at), ((home, spot), copies) in hits.items()
    ]
    rows += [{"doc": doc, "position": -1, "back": 77 << 32 | 5, "shift": 0, "copies": 0, "marks": b"m"} for doc in numbers]
    rng.shuffle(rows)
    table = whole_numbers(rows, ["doc", "position", "back", "shift", "copies"])
    return folded(_descale.Hits(), table.append_column("marks", pa.array([row["marks"] for row in rows], pa.binary())))


@pytest.mark.parametrize("seed", range(20))
def test_runs_are_the_hits_they_were_made_of(seed):
    rng = random.Random(seed)
    numbers, hits = repeated(rng, rng.randint(1, 12))
    runs = runs_of(rng, numbers, hits)
    told = runs.to_pylist()
    assert [row["doc"] for row in told] == sorted({doc for doc, _ in hits})
    assert all((row["tokens"], row["site"], row["marks"]) == (77, 5, b"m") for row in told)
    found = {}
    for row in pa.table(_descale.Runs().push(runs)).to_pylist():
        for i in range(row["length"]):
            found[row["doc"], row["position"] + i] = (row["home"], row["spot"] + i)
    assert found == {place: gram for place, (gram, _) in hits.items()}


@pytest.mark.parametrize("seed", range(40))
def test_grams_that_meet_in_half_of_the_copies_are_of_one_template(seed):
    rng = random.Random(seed)
    numbers, hits = repeated(rng, rng.randint(1, 12))
    runs = runs_of(rng, numbers, hits)

    meetings, exact = {}, seed % 4 == 3
    reach = 9 if exact else 12
    for doc in numbers:
        of_doc = sorted((at, *hit) for (of, at), hit in hits.items() if of == doc)
        for (at, gram, copies), (next_at, other, of_other) in zip(of_doc, of_doc[1:]):
            if next_at - at <= reach:
                meetings.setdefault((gram, other, max(copies, of_other)), []).append(doc)
    edges = [(a, b) for (a, b, copies), docs in meetings.items() if exact or len(docs) >= max(2, -(-copies // 2))]
    expected = painted(edges)

    options = {"exact": True, "min_tokens": 9} if exact else {}
    cut = rng.randrange(runs.num_rows + 1)
    links = [folded(_descale.Links(options), part) for part in [runs.slice(0, cut), runs.slice(cut)]]
    links = pa.concat_tables(links).to_pylist()
    rng.shuffle(links)
    names = ["home", "other", "shift", "copies", "spot", "end", "meetings"]
    parts = [whole_numbers([row for row in links if row["home"] % 2 == odd], names) for odd in (0, 1)]
    joined = [folded(_descale.Joined(options), part) for part in parts]
    templates = folded(_descale.Linked(), *joined)
    found = {}
    for row in templates.to_pylist():
        for spot in range(row["spot"], row["end"]):
            found[row["home"], spot] = (row["template"], row["token"])
    assert found == expected

    pieces = folded(_descale.Templates(), pa.table(_descale.Runs().push(runs)), templates)
    found = {}
    for row in pieces.to_pylist():
        for at in range(row["position"], row["position"] + row["length"]):
            assert found.setdefault((row["doc"], at), (row["template"], row["token"])) == (row["template"], row["token"])
    assert found == {place: expected[gram] for place, (gram, _) in hits.items() if gram in expected}


@pytest.mark.parametrize("portion_bytes", [0, 20_000])
def test_portions_do_not_count(monkeypatch, portion_bytes):
    rng = random.Random(portion_bytes)
    seeds = [{"key": rng.randrange(4000), "doc": rng.randrange(1 << 30), "position": rng.randrange(99)} for _ in range(9000)]
    table = whole_numbers(seeds, ["key", "doc", "position"])
    packets = list(descale.spark._in_packets(iter, ["key"], 64)(table.to_batches(max_chunksize=1000)))
    whole = pa.Table.from_batches(descale.spark._fold("Places")(packets))
    shelves = []
    make = _descale.Shelf
    monkeypatch.setattr(_descale, "Shelf", lambda folder: shelves.append(folder) or make(folder, 10_000, portion_bytes))
    parts = list(descale.spark._fold("Places")(packets))
    assert len(shelves) == 1 and len(parts) > 2
    assert sorted(map(str, pa.Table.from_batches(parts).to_pylist())) == sorted(map(str, whole.to_pylist()))


def test_a_partition_without_rows_gives_none():
    assert list(descale.spark._fold("Places")([])) == []
