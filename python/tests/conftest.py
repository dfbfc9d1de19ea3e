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


def made_up_blocks(rows, seed=5):
    """Pages of three sites, each with a notice of its own that differs a little from page to page; every tenth page is a copy
    of an earlier one, and some texts say a common phrase."""
    rng = random.Random(seed)
    words = [f"w{i}" for i in range(3000)]
    say = lambda low, high: " ".join(rng.choices(words, k=rng.randint(low, high)))
    phrase = "as was said before in this very place by everybody who was there"
    notices = [" ".join(rng.choices(words, k=40)) for _ in range(3)]
    pages = []
    for n in range(rows):
        if n % 10 == 9:
            pages.append(dict(rng.choice(pages)))
            continue
        site = rng.randrange(3)
        notice = notices[site].split()
        if rng.random() < 0.5:
            notice[rng.randrange(len(notice))] = f"name{n}"
        if rng.random() < 0.2:
            notice = [word[:-1] + "o" if rng.random() < 0.25 else word for word in notice]
        middle = f"{say(20, 60)} {phrase} {say(20, 60)}" if rng.random() < 0.2 else say(60, 120)
        text = f"{say(50, 90)}.\n\n{middle}.\n\n{' '.join(notice).capitalize()}.\n"
        pages.append({"text": text, "url": f"https://WWW{site}.example.org/{n}"})
    return [{"id": f"p{n}", **page, "n": n} for n, page in enumerate(pages)]


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
    made = {"made_up": made_up(1500), "blocks": made_up_blocks(600)}
    return {"planted": fixture("planted"), "laws": fixture("laws"), "both": both, **made}
