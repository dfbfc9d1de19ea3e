"""Corpora that several tests look at: the fixtures, and one that is made up."""

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

FIXTURES = Path(__file__).parent / "fixtures"


def made_up(rows, seed=7):
    """Texts of which about half are copies of an earlier one: exact, changed a little, or a part of it."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(4000)]
    texts = []
    for _ in range(rows):
        kind = rng.random()
        if not texts or kind < 0.55:
            texts.append(" ".join(rng.choices(words, k=rng.randint(40, 160))))
            continue
        text = rng.choice(texts).split()
        if kind < 0.9:
            for _ in range(0 if kind < 0.7 else rng.randint(1, 4)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            text = text[: len(text) * 45 // 100]
        texts.append(" ".join(text))
    return [{"id": f"r{i}", "text": text, "n": i} for i, text in enumerate(texts)]


def fixture(name):
    with gzip.open(FIXTURES / f"{name}.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [{**json.loads(line), "n": n} for n, line in enumerate(lines)]


def write(path, rows):
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def lines(path):
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


def command(*arguments):
    """The command that came with the wheel."""
    return subprocess.run([sys.executable, "-m", "descale", *map(str, arguments)], capture_output=True, text=True)


@pytest.fixture(scope="session")
def corpora():
    """The corpora by name: lists of id, text and n, the row number."""
    both = fixture("planted") + fixture("laws")
    both = [{**row, "n": n} for n, row in enumerate(both)]
    return {"planted": fixture("planted"), "laws": fixture("laws"), "both": both, "made_up": made_up(1500)}
