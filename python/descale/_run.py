"""Whole runs, over files and over tables. Everything that decides is in Rust; here calls are sorted out."""

import json
import os
import shutil
import tempfile
import weakref
from pathlib import Path
from typing import NamedTuple

from . import _descale
from ._errors import UsageError


class Result:
    """What a run did.

    Attributes:
        summary: counts, bytes, times and options as a dictionary: the content of ``summary.json``.
        folder: where plan, blocks and clusters lie; a temporary folder, gone with this object, if none was named.
            The URL of a place in an object store as it was given; its tables are fetched from there.
        table: of a run over a table, the rows that stay: same columns, what is left of the texts. ``None`` for files
            and for :func:`scan`.
        decisions: of a run over a table, one row for each row of it, in order: ``row`` (from 0), ``action`` (keep,
            drop or edit), ``reason``, ``of`` (the id of the document kept instead), ``similarity`` (0 to 1),
            ``cluster``, and ``text``, cleaned. ``None`` for files.
    """

    def __init__(self, summary, folder, holder=None, table=None, decisions=None):
        self.summary = summary
        self.folder = folder
        self.table = table
        self.decisions = decisions
        self._holder = holder

    def plan(self):
        """A row for each document dropped or edited, in input order.

        Columns: file, row (from 1), id, action (drop or edit), reason (exact, near, contained or blocks), of,
        similarity, cluster, and spans: a list of start, end (half-open, in UTF-8 bytes of the text), block and why.
        """
        return _descale.read_lines(self.folder, "plan")

    def blocks(self):
        """A row for each repeated passage, in order of first occurrence.

        Columns: id, template, tokens, copies, documents, sites, decision, why, evidence (what the decision looked at:
        most_in_document, variants, and shares of the copies: lines, paragraphs, quoted, code; of_site, the share of a
        site's documents that carry it), examples (id, start, end).
        """
        return _descale.read_lines(self.folder, "blocks")

    def clusters(self):
        """A row for each cluster of duplicates, in order of the first member.

        Columns: id, kept, members (id, similarity to the kept one).
        """
        return _descale.read_lines(self.folder, "clusters")

    def __repr__(self):
        outputs = self.summary["outputs"]
        return (
            f"descale.Result({self.summary['mode']}: {self.summary['inputs']['records']} records, "
            f"{outputs['dropped']} dropped, {outputs['edited']} edited)"
        )


class Similarity(NamedTuple):
    """How alike two texts are. Shingles are runs of five tokens, unless told otherwise."""

    jaccard: float
    """Shared shingles by all shingles of both, 0 to 1."""
    a_in_b: float
    """Share of the first text's shingles that the second has."""
    b_in_a: float
    """Share of the second text's shingles that the first has."""


def clean(inputs, out=None, *, progress=None, **options):
    """Drops near-duplicate documents, then strips repeated blocks from the rest.

    Args:
        inputs: files, folders or globs (one or a list); or a table: anything with ``__arrow_c_stream__`` or
            ``__arrow_c_array__`` (pyarrow, polars, pandas), a Hugging Face dataset, or an Arrow array of texts.
        out: the folder for the results, as the command writes it. Without it files are decided upon, but not
            written; a table never needs it.
        progress: called as ``progress(stage, done_bytes, total_bytes)``, a few times a second at most, in the thread
            that called. What it raises stops the run, as Ctrl-C does; nothing half-written is left.
        **options: the command's flags, with ``_`` for ``-``: ``threshold=0.7, keep="longest", memory="2G"``.

    Returns:
        A :class:`Result`.

    Raises:
        UsageError, InputError, ResourceError: with the place and the cure.
    """
    return _run("clean", inputs, out, progress, options)


def dedup(inputs, out=None, *, progress=None, **options):
    """Drops near-duplicate documents only. Arguments as for :func:`clean`."""
    return _run("dedup", inputs, out, progress, options)


def strip(inputs, out=None, *, progress=None, **options):
    """Strips repeated blocks only. Arguments as for :func:`clean`."""
    return _run("strip", inputs, out, progress, options)


def scan(inputs, out=None, *, progress=None, **options):
    """Finds what :func:`clean` would take out, and changes nothing. Arguments as for :func:`clean`."""
    return _run("scan", inputs, out, progress, options)


def similarity(a, b, **options):
    """How alike two texts are, exactly.

    Args:
        a, b: two texts, or two lists or Arrow arrays of as many.
        **options: ``shingle_tokens``.

    Returns:
        A :class:`Similarity` of two texts; else a :class:`Table` of its columns, null where a text is.
    """
    if not isinstance(a, str):
        return _descale.similarities(a, b, **options)
    return Similarity(*_descale.similarity(a, b, **options))


def _run(mode, inputs, out, progress, options):
    _descale.check_options(options)
    table = _table(inputs, options)
    if table is None:
        return _run_files(mode, _paths(inputs), out, progress, options)
    folder, holder = _folder(out)
    summary = json.loads(_descale.run_table(mode, table, "table", folder, progress, options))
    kept, decisions = _descale.apply_plan(table, options.get("text_field") or "text", folder)
    return Result(summary, folder, holder, None if mode == "scan" else kept, decisions)


def _run_files(mode, paths, out, progress, options):
    folder, holder = _folder(out)
    records = holder is None and mode != "scan"
    summary = json.loads(_descale.run_files(mode, paths, folder, records, progress, options))
    return Result(summary, folder, holder)


def _folder(out):
    """The folder for the plan; a temporary one lives as long as its holder. A URL stays as it is: a path has no "//"."""
    if out is not None:
        return out if "://" in os.fspath(out) else Path(out), None
    holder = _Temporary()
    return holder.path / "result", holder


class _Temporary:
    """A folder that goes with this object."""

    def __init__(self):
        self.path = Path(tempfile.mkdtemp(prefix="descale-"))
        weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)


def _table(inputs, options):
    """The inputs as a table, if they are one."""
    if isinstance(inputs, _descale.Table):
        return inputs
    if hasattr(inputs, "__arrow_c_stream__") or hasattr(inputs, "__arrow_c_array__"):
        return _descale.Table(inputs, options.get("text_field") or "text")
    if hasattr(inputs, "with_format"):
        return _table(inputs.with_format("arrow")[:], options)
    return None


def _paths(inputs):
    if isinstance(inputs, (str, os.PathLike)):
        return [os.fspath(inputs)]
    try:
        return [os.fspath(path) for path in inputs]
    except TypeError:
        kind = type(inputs).__name__
        raise UsageError(
            f"cannot read a {kind}\n  help: give paths, or a table with __arrow_c_stream__ (pyarrow, polars, pandas)"
        ) from None
