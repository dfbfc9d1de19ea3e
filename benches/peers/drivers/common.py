"""What the drivers of library peers share: reading, shingling, grouping, writing.

A driver is called as `DRIVER CORPUS OUT`: it reads JSONL with `id` and `text` and writes the lines that stay to OUT,
unchanged, as the tools with a command line of their own do.
"""
import json
import re

HASHES = 112
BANDS = 14
ROWS = HASHES // BANDS
SHINGLE_WORDS = 5
THRESHOLD = 0.8
WORD = re.compile(r"[^\W_]+")


def records(path):
    """The records of a JSONL file."""
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            yield json.loads(line)


def shingles(text):
    """The 5-word shingles of a text in lower case, joined by blanks; a shorter text is one shingle."""
    words = WORD.findall(text.lower())
    if len(words) <= SHINGLE_WORDS:
        return [" ".join(words)]
    return [" ".join(words[at:at + SHINGLE_WORDS]) for at in range(len(words) - SHINGLE_WORDS + 1)]


class Groups:
    """Union-find whose root is the lowest number."""

    def __init__(self, count):
        self.parent = list(range(count))

    def root(self, one):
        """The lowest member of a group."""
        while self.parent[one] != one:
            self.parent[one] = self.parent[self.parent[one]]
            one = self.parent[one]
        return one

    def join(self, one, other):
        """Makes two groups one."""
        one, other = self.root(one), self.root(other)
        if one != other:
            self.parent[max(one, other)] = min(one, other)

    def first_members(self):
        """The members that stay."""
        return {one for one, parent in enumerate(self.parent) if one == parent}


def write_kept(source, target, kept):
    """Copies the lines whose number is in `kept`."""
    with open(source, "rb") as lines, open(target, "wb") as out:
        out.writelines(line for number, line in enumerate(lines) if number in kept)
