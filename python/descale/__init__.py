"""descale finds near-duplicate documents and repeated blocks of text in big corpora, and strips them.

>>> import descale
>>> result = descale.clean(table)             # anything Arrow: pyarrow, polars, pandas, datasets
>>> result.table.to_polars()                  # the rows that stay, with what is left of their texts
>>> descale.clean("corpus/", "cleaned")       # files, too big for memory: written to the folder "cleaned"

Whole runs: :func:`clean`, :func:`dedup`, :func:`strip`, :func:`scan`; afterwards :func:`explain` and :func:`restore`.
Building blocks: :func:`tokenize`, :func:`sketch`, :func:`band_keys`, :func:`seeds`, :func:`similarity`.
Beyond one machine: :mod:`descale.spark`.

The work is done in Rust, on all cores, without the interpreter's lock. The answer does not depend on the number of
threads, the memory given, or whether the texts lie in files, in memory or on a Spark cluster.
"""

from ._descale import Table, __version__, band_keys, explain, restore, seeds, sketch, tokenize
from ._errors import DescaleError, InputError, InternalError, ResourceError, UsageError
from ._run import Result, Similarity, clean, dedup, scan, similarity, strip

__all__ = [
    "DescaleError",
    "InputError",
    "InternalError",
    "ResourceError",
    "Result",
    "Similarity",
    "Table",
    "UsageError",
    "__version__",
    "band_keys",
    "clean",
    "dedup",
    "explain",
    "restore",
    "scan",
    "seeds",
    "similarity",
    "sketch",
    "strip",
    "tokenize",
]
