"""Exact truth and the judgement of a result. Runs in a virtual environment that has numpy.

Question: what should have gone, and was what went right to go? Similarity is the Jaccard coefficient of the sets of
5-word shingles; a word is a run of letters and digits in lower case. Every pair at .5 or more is found, without
sampling: by prefix filtering (Chaudhuri, Ganti, Kaushik 2006). Two sets with J >= t must share an element among the
|A| - ceil(t |A|) + 1 rarest of each, so that only those are indexed; each candidate is then counted exactly.
Documents with equal sets are one group and compared once.

Two truths are named in the table. Greedy: in input order, a document goes when a kept one lies at J >= .8.
Components: pairs at J >= .8 are joined, the first of each component stays.
"""
import json
import re
import sys

import numpy

WORD = re.compile(r"[^\W_]+")
SHINGLE_WORDS = 5
FLOOR = 0.5
THRESHOLD = 0.8


def shingle_sets(corpus):
    """ids, and per document the sorted 64-bit hashes of its distinct shingles."""
    ids, sets, vocabulary = [], [], {}
    random = numpy.random.default_rng(1).integers(1, 2**63, size=SHINGLE_WORDS, dtype=numpy.uint64) * 2 + 1
    with open(corpus, encoding="utf-8") as stream:
        for line in stream:
            record = json.loads(line)
            ids.append(record["id"])
            words = WORD.findall(record["text"].lower())
            numbers = numpy.array([vocabulary.setdefault(word, len(vocabulary)) for word in words], dtype=numpy.uint64)
            sets.append(numpy.unique(shingles(mix(numbers), random)))
    return ids, sets


def mix(x):
    """A bijection of 64-bit numbers that spreads small ones (the finalizer of SplitMix64)."""
    x = (x + numpy.uint64(0x9E3779B97F4A7C15))
    x = (x ^ (x >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return x ^ (x >> numpy.uint64(31))


def shingles(words, factors):
    """One hash per run of SHINGLE_WORDS words; a shorter text is one shingle."""
    width = min(SHINGLE_WORDS, len(words))
    count = len(words) - width + 1 if width else 0
    total = numpy.zeros(count, dtype=numpy.uint64)
    for offset in range(width):
        total += words[offset:offset + count] * factors[offset]
    return mix(total)


def pairs(sets):
    """All pairs (i < j, similarity) at FLOOR or more, for distinct sets."""
    sizes = numpy.array([len(one) for one in sets])
    owners = numpy.repeat(numpy.arange(len(sets)), sizes)
    _, where, counts = numpy.unique(numpy.concatenate(sets), return_inverse=True, return_counts=True)
    rank = numpy.argsort(numpy.argsort(counts, kind="stable"), kind="stable")[where]
    order = numpy.lexsort((rank, owners))
    owners, rank = owners[order], rank[order]
    place = numpy.arange(len(owners)) - numpy.repeat(numpy.cumsum(sizes) - sizes, sizes)
    prefix = sizes - numpy.ceil(FLOOR * sizes).astype(int) + 1
    chosen = (place < prefix[owners]) & (counts[numpy.argsort(counts, kind="stable")][rank] > 1)
    found = []
    ranked = [numpy.sort(part) for part in numpy.split(rank, numpy.cumsum(sizes)[:-1])]
    for first, others in candidates(owners[chosen], rank[chosen], sizes):
        for second in others:
            shared = overlap(ranked[first], ranked[second])
            similarity = shared / (sizes[first] + sizes[second] - shared)
            if similarity >= FLOOR:
                found.append((first, int(second), float(similarity)))
    return found


def overlap(a, b):
    """Size of the intersection of two sorted arrays of distinct numbers."""
    if len(a) > len(b):
        a, b = b, a
    at = numpy.searchsorted(b, a)
    at[at == len(b)] = 0
    return int((b[at] == a).sum())


def candidates(owners, elements, sizes):
    """(document, later documents that share an indexed element and are near enough in size), document by document."""
    order = numpy.lexsort((owners, elements))
    owners, elements = owners[order], elements[order]
    starts = numpy.flatnonzero(numpy.r_[True, elements[1:] != elements[:-1]])
    ends = numpy.r_[starts[1:], len(elements)]
    group_end = numpy.repeat(ends, ends - starts)
    by_owner = numpy.argsort(owners, kind="stable")
    borders = numpy.searchsorted(owners[by_owner], numpy.arange(len(sizes) + 1))
    for first in range(len(sizes)):
        spots = by_owner[borders[first]:borders[first + 1]]
        if len(spots):
            others = numpy.unique(numpy.concatenate([owners[spot + 1:group_end[spot]] for spot in spots]))
            near = (sizes[others] >= FLOOR * sizes[first]) & (sizes[first] >= FLOOR * sizes[others])
            yield first, others[near & (others != first)]


def neighbours(sets):
    """Per document its twins [(document, similarity)] at FLOOR or more."""
    groups = {}
    for number, one in enumerate(sets):
        groups.setdefault(one.tobytes(), []).append(number)
    members = list(groups.values())
    twins = [[] for _ in sets]
    for group in members:
        for one in group:
            twins[one] += [(other, 1.0) for other in group if other != one]
    for a, b, similarity in pairs([sets[group[0]] for group in members]):
        for one in members[a]:
            twins[one] += [(other, similarity) for other in members[b]]
        for other in members[b]:
            twins[other] += [(one, similarity) for one in members[a]]
    return twins


def greedy(twins):
    """Documents that go when each must have a kept twin before it."""
    gone = set()
    for one, near in enumerate(twins):
        if any(s >= THRESHOLD and other < one and other not in gone for other, s in near):
            gone.add(one)
    return gone


def components(twins):
    """Documents that go when pairs are joined and the first of each component stays."""
    gone, seen = set(), set()
    for start in range(len(twins)):
        if start not in seen:
            seen.add(start)
            open_ends = [start]
            while open_ends:
                new = {other for other, s in twins[open_ends.pop()] if s >= THRESHOLD} - seen
                seen |= new
                gone |= new
                open_ends += sorted(new)
    return gone


def judge(twins, gone):
    """What a set of removed documents is worth."""
    best = [max((s for other, s in near if other not in gone), default=0.0) for near in twins]
    alone = [all(s < THRESHOLD for _, s in near) for near in twins]
    return {"removed": len(gone),
            "no_twin": sum(alone[one] for one in gone),
            "no_kept_twin": sum(best[one] < THRESHOLD for one in gone),
            "orphans": sum(best[one] < FLOOR for one in gone),
            "kept_with_kept_twin": sum(best[one] >= THRESHOLD for one in range(len(twins)) if one not in gone)}


def main(corpus, results):
    """Prints the judgement of both truths and of every result file (one kept id a line)."""
    ids, sets = shingle_sets(corpus)
    twins = neighbours(sets)
    number = {one: at for at, one in enumerate(ids)}
    verdicts = {"greedy": judge(twins, greedy(twins)), "components": judge(twins, components(twins))}
    for name, path in (entry.split("=", 1) for entry in results):
        with open(path, encoding="utf-8") as stream:
            kept = {number[line.strip()] for line in stream}
        verdicts[name] = judge(twins, set(range(len(ids))) - kept)
    with_twin = sum(any(s >= THRESHOLD for _, s in near) for near in twins)
    json.dump({"documents": len(ids), "with_twin": with_twin, "verdicts": verdicts}, sys.stdout)


def check(corpus, count):
    """Compares the pairs of the first `count` documents with those that plain sets of words give, all counted."""
    with open(corpus, encoding="utf-8") as stream:
        texts = [WORD.findall(json.loads(line)["text"].lower()) for line, _ in zip(stream, range(count))]
    plain = [{tuple(words[at:at + SHINGLE_WORDS]) for at in range(max(1, len(words) - SHINGLE_WORDS + 1))} for words in texts]
    found = {(one, other): s for one, near in enumerate(neighbours(shingle_sets(corpus)[1][:count])) for other, s in near}
    wanted = {(one, other): len(a & b) / len(a | b) for one, a in enumerate(plain) for other, b in enumerate(plain)
              if one != other and len(a & b) >= FLOOR * len(a | b)}
    if found != wanted:
        sys.exit(f"{len(found.keys() ^ wanted.keys())} of {len(wanted)} pairs differ")


if __name__ == "__main__":
    # truth.py CORPUS NAME=IDS... judges results; truth.py --check CORPUS COUNT tests this file.
    if sys.argv[1] == "--check":
        check(sys.argv[2], int(sys.argv[3]))
    else:
        main(sys.argv[1], sys.argv[2:])
