"""What the set makers share: seeded choice of files at hand, and the form the scorer reads.

A set is a folder with `inputs.jsonl.gz` (id, text, source, and site where it has one) and `truth_spans.jsonl.gz`
(id, spans; offsets in code points, end exclusive). Standard library only.
"""
import gzip
import json
from pathlib import Path


class Document:
    """A text under construction that remembers which parts of it are boilerplate."""

    def __init__(self):
        self.parts, self.spans, self.ignored, self.length = [], [], [], 0

    def add(self, text, kind=None, group=None):
        """Appends text; with a kind it is boilerplate, without the white space around it."""
        if kind and text.strip():
            start = self.length + len(text) - len(text.lstrip())
            end = self.length + len(text.rstrip())
            self.spans.append({"start": start, "end": end, "kind": kind, "group": group or kind})
        self.parts.append(text)
        self.length += len(text)

    def add_either_way(self, text):
        """Appends text that may go or stay."""
        self.ignored.append([self.length, self.length + len(text)])
        self.add(text)

    @property
    def text(self):
        return "".join(self.parts)


def write(folder, documents):
    """Writes (id, document, more fields) as a set; same input, same bytes."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, row in (
        ("inputs.jsonl.gz", lambda i, d, more: {"id": i, "text": d.text, **more}),
        ("truth_spans.jsonl.gz", lambda i, d, _: {"id": i, "spans": d.spans, "ignore": d.ignored}),
    ):
        with gzip.GzipFile(folder / name, "wb", mtime=0) as out:
            for i, document, more in documents:
                out.write((json.dumps(row(i, document, more), ensure_ascii=False) + "\n").encode())


def files(roots, endings, smallest=1500, largest=40000):
    """Readable UTF-8 files below the roots, ascending by path."""
    for root in sorted(map(str, roots)):
        for path in sorted(Path(root).rglob("*")):
            if path.suffix in endings and path.is_file() and smallest <= path.stat().st_size <= largest:
                try:
                    yield path, path.read_text(encoding="utf8")
                except (UnicodeDecodeError, OSError):
                    continue
