"""The corpus of the comparison: real text that lies on the machine anyway.

Question: where do near-duplicates come from that nobody planted? From files that exist in several versions: the
same module in nine Python versions, the same book in three Rust toolchains, the same licence in a thousand packages.

A document is one file made plain: a man page or a package document as it is, a page of a Rust book without its
markup, the docstrings of a Python module, the doc comments of a Rust module, a crate's README. All versions of a
file form a family. Families are taken in the order of a hash of their name, whole, source after source, until the
source's share of the size is full. Same machine and same size -> same bytes.

Left out: texts under 200 or over 200,000 characters, under 20 words, and scripts without spaces between words (none
of the peers can cut those into words at comparable settings).
"""
import gzip
import hashlib
import html
import json
import os
import pathlib
import random
import re
import sys

HOME = pathlib.Path.home()
SHARES = {"book": 0.25, "docstring": 0.30, "rustdoc": 0.10, "man": 0.15, "doc": 0.20}
BOOKS = ("book", "reference", "nomicon", "rust-by-example", "rustc", "cargo", "edition-guide", "embedded-book",
         "unstable-book", "error_codes", "clippy", "style-guide", "rustdoc")
WORD = re.compile(r"[^\W_]+")
SPACELESS = re.compile(r"[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
DOCSTRING = re.compile(r'^[ \t]*[rRuU]?("""|\'\'\')(.*?)\1', re.S | re.M)
VERSION = re.compile(r"\d+(?:\.\d+)+|\d+\.\d+")


def files(root, pattern):
    """Every plain file under `root` that matches, in a fixed order; symbolic links are not followed."""
    for folder, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = pathlib.Path(folder, name)
            if pattern.search(str(path)) and path.is_file() and not path.is_symlink():
                yield path


def read(path):
    """A file's text, unpacked; None when it is no UTF-8 text."""
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as stream:
            return stream.read(2_000_000).decode("utf-8")
    except (OSError, EOFError, UnicodeDecodeError):
        return None


def page_text(markup):
    """The words of an HTML page: the main part, scripts and tags dropped, entities resolved."""
    start, end = markup.find("<main>"), markup.rfind("</main>")
    body = markup[start:end] if 0 <= start < end else markup
    body = re.sub(r"(?s)<(script|style|svg|nav)\b.*?</\1>", " ", body)
    body = html.unescape(re.sub(r"<[^>]*>", "", body))
    return re.sub(r"\n\s*\n+", "\n\n", body).strip()


def man_text(source):
    """A man page without its macros and font switches."""
    lines = (line for line in source.splitlines() if not line.startswith((".\\\"", "'\\\"", ".\\}")))
    plain = (re.sub(r"^\.[A-Za-z]+ ?", "", line) for line in lines)
    return re.sub(r"\\f.|\\&", "", "\n".join(plain)).replace("\\-", "-")


def docstrings(source):
    """The docstrings of a Python module in order: its triple-quoted strings that open a line."""
    return "\n\n".join(match.group(2) for match in DOCSTRING.finditer(source))


def doc_comments(source):
    """All doc comments of a Rust module, in order."""
    lines = (re.match(r"\s*//[/!] ?(.*)", line) for line in source.splitlines())
    return "\n".join(line.group(1) for line in lines if line)


def identity(text):
    """Text that needs no treatment."""
    return text


def sources():
    """(source name, root, file pattern, treatment), all that may be at hand."""
    rust_pages = re.compile(r"/html/(?:%s)/(?!.*print\.html).*\.html$" % "|".join(BOOKS))
    yield "book", HOME / ".rustup/toolchains", rust_pages, page_text
    yield "docstring", HOME / ".pyenv/versions", re.compile(r"\.py$"), docstrings
    yield "docstring", pathlib.Path("/usr/lib/python3"), re.compile(r"\.py$"), docstrings
    yield "rustdoc", HOME / ".cargo/registry/src", re.compile(r"\.rs$"), doc_comments
    yield "man", pathlib.Path("/usr/share/man"), re.compile(r"/man\d/"), man_text
    yield "doc", pathlib.Path("/usr/share/doc"), re.compile(r"(?<!\.html)(?<!\.png)(?<!\.gif)(?<!\.ps)$"), identity
    yield "doc", pathlib.Path("/usr/share/licenses"), re.compile(r"."), identity
    yield "doc", HOME / ".pyenv/versions", re.compile(r"\.(rst|md|txt)$|/(LICENSE|METADATA|COPYING)[^/]*$"), identity
    yield "doc", HOME / ".cargo/registry/src", re.compile(r"\.md$|/(LICENSE|COPYING)[^/]*$"), identity
    yield "doc", HOME / ".rustup/toolchains", re.compile(r"\.md$|/(LICENSE|COPYRIGHT)[^/]*$"), identity


def family(path):
    """The name that all versions of a file share."""
    return re.sub(r"(stable|nightly|beta|\d[\w.]*)-x86_64[^/]*", "T", VERSION.sub("V", str(path)))


def usable(text):
    """Long enough, short enough, and in a script that sets spaces between words."""
    if text is None or not 200 <= len(text) <= 200_000 or len(SPACELESS.findall(text)) * 50 > len(text):
        return False
    return sum(1 for _ in WORD.finditer(text)) >= 20


def families():
    """source name -> families in the order of a hash of their name, each a list of (path, treatment)."""
    found = {}
    for name, root, pattern, treat in sources():
        if root.is_dir():
            for path in files(root, pattern):
                found.setdefault(name, {}).setdefault(family(path), []).append((path, treat))
    rank = lambda entry: hashlib.sha256(entry[0].encode()).digest()
    return {name: [paths for _, paths in sorted(group.items(), key=rank)] for name, group in found.items()}


def build(target, size_bytes):
    """Writes the corpus, about `size_bytes` of text, as JSONL with `id` and `text`; returns what the table says of it."""
    found = families()
    documents, counts = [], {}
    for name in sorted(found, key=lambda name: SHARES[name]):
        # What the smaller sources cannot fill, the larger ones take over.
        taken, rest = 0, [SHARES[other] for other in found if other not in counts]
        quota = (size_bytes - sum(size for _, size in counts.values())) * SHARES[name] / sum(rest)
        number = 0
        for paths in found[name]:
            if taken >= quota:
                break
            for path, treat in paths:
                source = read(path)
                text = treat(source) if source is not None else None
                if usable(text):
                    documents.append(text)
                    taken += len(text.encode())
                    number += 1
        counts[name] = (number, taken)
    random.Random(1).shuffle(documents)
    digest = hashlib.sha256()
    with open(target, "wb") as stream:
        for number, text in enumerate(documents):
            line = json.dumps({"id": str(number), "text": text}, ensure_ascii=False).encode() + b"\n"
            digest.update(line)
            stream.write(line)
    return {"documents": len(documents), "text_bytes": sum(size for _, size in counts.values()),
            "sha256": digest.hexdigest(), "sources": counts}


if __name__ == "__main__":
    json.dump(build(sys.argv[1], int(float(sys.argv[2]) * 1e6)), sys.stdout)
