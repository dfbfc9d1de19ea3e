"""Near-duplicates in corpora beyond one machine, on Spark, Spark Connect or Sail.

The maps and folds are those of one machine, in Rust; Spark's shuffle takes the place of ours, and so does the answer:
the same rows, numbered in the same order, with the same options give the same decisions. Only what Spark Connect
offers is used: the DataFrame API and ``mapInArrow``. The package must be installed on every executor.

What is shuffled are keys and numbers (24 bytes a posting), and the shingles of candidates (8 bytes a token), never
texts. Every fold sorts its partition itself and trusts no order. Stages are written to the checkpoint folder and read
back, so that a lost executor costs a stage at most and plans stay short.
"""

from typing import NamedTuple

_POSTINGS = "key long, doc long, other long"
_EDGES = "doc long, other long"
_COMPONENTS = "doc long, component long"
_CANDIDATES = "component long, doc long, tokens long, rank double, sequence binary, shingles binary"
_DECISIONS = "doc long, action string, reason string, of long, similarity double, cluster long"

_ROWS_AT_ONCE = 1024
_ROWS_OUT = 1 << 16


class Deduplicated(NamedTuple):
    """What :func:`dedup` gives."""

    kept: object
    """DataFrame: the rows that stay, as they came."""
    decisions: object
    """DataFrame: a row for each row that has a duplicate: the id, ``action`` (keep or drop), ``reason`` (exact, near
    or contained), ``of`` (the id of the row kept instead), ``similarity`` (0 to 1), ``cluster`` (the smallest id of
    its cluster)."""


def dedup(df, *, checkpoint, text="text", id="id", partitions=None, broadcast_rows=5_000_000, **options):
    """Drops near-duplicate rows of a DataFrame.

    Args:
        df: a DataFrame. It is read three times: its rows must be the same each time.
        checkpoint: a folder that all executors reach, for the stages; what lies there is overwritten.
        text: the column with the texts; a row without one stays.
        id: the column that numbers the rows: whole numbers, each once. Their order is the input order, which says who
            is kept; ``file_number << 40 | row_number`` is one that never changes. (``monotonically_increasing_id``
            changes with the partitions: a retried task would number its rows anew.)
        partitions: of the shuffles; without it, what Spark is configured to. One should hold at most about ten
            million postings of 24 bytes.
        broadcast_rows: candidates are looked up in the texts by broadcasts of so many (about 100 bytes each).
        **options: those of :func:`descale.dedup` that decide on near-duplicates: ``threshold``, ``recall``, ``keep``,
            ``contain``, ``shingle_unit``, ... Others are refused, ``prefer`` too: a DataFrame has no files.

    Returns:
        :class:`Deduplicated`: the rows that stay and the decisions, as DataFrames.
    """
    from descale import UsageError, _descale

    _descale.Bands(options)  # What is wrong with them is said here, before a task starts.
    if options.get("prefer"):
        raise UsageError("prefer names input files, and a DataFrame has none\n  help: rank the rows, say keep='field:NAME'")
    stages = _Stages(df.sparkSession, checkpoint, partitions)
    documents = _documents(df, text, id, options.get("keep"))

    postings = documents.select("doc", "text").mapInArrow(_map("Bands", options), _POSTINGS)
    edges = stages.keep("edges", stages.by("key", postings).mapInArrow(_fold("Edges"), _EDGES), _EDGES)
    joined = edges.repartition(1).mapInArrow(_fold("Union"), _COMPONENTS)
    components = stages.keep("components", joined, _COMPONENTS)

    wanted = _looked_up(documents, components, broadcast_rows)
    candidates = wanted.mapInArrow(_map("Candidates", options), _CANDIDATES)
    verdicts = stages.by("component", candidates).mapInArrow(_fold("Verdicts", options), _DECISIONS)
    decisions = stages.keep("decisions", verdicts, _DECISIONS)
    return Deduplicated(_without(df, id, decisions, broadcast_rows), decisions.withColumnRenamed("doc", id))


class _Stages:
    """The shuffles and the checkpoints between them."""

    def __init__(self, spark, folder, partitions):
        self._spark = spark
        self._folder = str(folder).rstrip("/")
        self._partitions = partitions

    def by(self, key, rows):
        """The rows, all of one key in the same partition."""
        return rows.repartition(*([self._partitions] if self._partitions else []), key)

    def keep(self, name, rows, schema):
        """Computes the rows now, and gives them as they were written."""
        path = f"{self._folder}/{name}"
        rows.write.mode("overwrite").parquet(path)
        return self._spark.read.schema(schema).parquet(path)


def _documents(df, text, id, keep):
    """The columns that matter, under the names that the maps know."""
    columns = [df[id].cast("long").alias("doc"), df[text].alias("text")]
    if keep is not None and str(keep).startswith("field:"):
        columns.append(df[str(keep)[len("field:") :]].cast("double").alias("rank"))
    return df.select(*columns)


def _slices(rows, count, limit):
    """The rows in parts of about ``limit``, small enough to be broadcast."""
    from pyspark.sql import functions as F

    parts = max(1, -(-count // limit))
    if parts == 1:
        return [F.broadcast(rows)]
    part = F.pmod(F.xxhash64("doc"), F.lit(parts))
    return [F.broadcast(rows.where(part == i)) for i in range(parts)]


def _looked_up(documents, components, limit):
    """The candidates' texts with their components. The texts stay where they are."""
    found = None
    for part in _slices(components, components.count(), limit):
        part = documents.join(part, "doc")
        found = part if found is None else found.unionByName(part)
    return found


def _without(df, id, decisions, limit):
    """The rows that are not dropped. The texts stay where they are."""
    dropped = decisions.where(decisions["action"] == "drop").select("doc")
    for part in _slices(dropped, dropped.count(), limit):
        df = df.join(part, df[id].cast("long") == part["doc"], "left_anti")
    return df


def _map(name, options):
    """A map over batches, by the class of this name."""

    def run(batches):
        import pyarrow

        from descale import _descale

        kernel = getattr(_descale, name)(options)
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                rows = pyarrow.table(kernel.push(batch.slice(start, _ROWS_AT_ONCE)))
                yield from rows.to_batches(max_chunksize=_ROWS_OUT)

    return run


def _fold(name, *arguments):
    """A fold over all batches of a partition, by the class of this name."""

    def run(batches):
        import pyarrow

        from descale import _descale

        kernel = getattr(_descale, name)(*arguments)
        for batch in batches:
            kernel.push(batch)
        yield from pyarrow.table(kernel.finish()).to_batches(max_chunksize=_ROWS_OUT)

    return run
