"""Near-duplicates and repeated blocks in corpora beyond one machine, on Spark, Spark Connect or Sail.

The maps and folds are those of one machine, in Rust; Spark's shuffle takes the place of ours, and so does the answer:
the same rows, numbered in the same order, with the same options give the same decisions. Only what Spark Connect
offers is used: the DataFrame API and ``mapInArrow``. The package must be installed on every executor.

What is shuffled are keys and numbers, the shingles of candidates (8 bytes a token), and of each block the letters and
the pictures of five places, never texts. What goes from a map or a fold to a fold travels in packets, many rows in one
value: Spark takes every row that it shuffles apart and puts it together again, at a cost above that of the fold. Every fold
sorts what it takes itself and trusts no order, and takes of packets some megabytes at once, however large the partition is.
Stages are written to the checkpoint folder and read back, so that a lost
executor costs a stage at most and plans stay short.
"""

import functools
import gc
import itertools
import os
import sys
from typing import NamedTuple

_PACKETS = "bucket long, packet binary"
_COMPONENTS = "doc long, component long"
_DECISIONS = "doc long, action string, reason string, of long, similarity double, cluster long"

# What a template is known by.
_TEMPLATE = ["template", "token"]
_PACKED = "doc long, rows binary"
_HITS = "doc long, tokens long, site long, rows binary, marks binary"
_COPIES = (
    "template long, token long, doc long, site long, start long, end long, passage_start long, passage_end long, tokens long, "
    "content long, shape long, shares long, company long"
)
_SITES = "site long, documents long"
_JUDGED = "template long, token long, doc long, start long, end long, which long, wants long, mark long, verdict binary"
_RANKED = "template long, token long, number long, verdict binary"
_SIGHTS = "number long, which long, left binary, letters binary, right binary, picture string"
_BLOCKS = (
    "id long, template string, tokens long, copies long, documents long, sites long, decision string, why string, "
    "evidence struct<most_in_document: long, variants: long, lines: float, paragraphs: float, quoted: float, code: float, "
    "of_site: float>, examples array<struct<id: string, start: long, end: long>>, letters binary"
)
_EDITS = "doc long, cuts binary, new binary"
_COUNTS = "number long, count long"
_SPANS = "doc long, spans array<struct<start: long, end: long, block: long, why: string>>"

# Names of our own beside the columns of a DataFrame that is not ours.
_DOC, _CUTS = "__descale_doc", "__descale_cuts"

_ROWS_AT_ONCE = 1024
_ROWS_OUT = 1 << 16
_PACKETS_AT_ONCE = 256

# Keys are spread over so many buckets for each partition: Spark deals buckets to partitions by hash, and of many small ones
# each partition gets about as many.
_BUCKETS = 16


class Deduplicated(NamedTuple):
    """What :func:`dedup` gives."""

    kept: object
    """DataFrame: the rows that stay, as they came."""
    decisions: object
    """DataFrame: a row for each row that has a duplicate: the id, ``action`` (keep or drop), ``reason`` (exact, near
    or contained), ``of`` (the id of the row kept instead), ``similarity`` (0 to 1), ``cluster`` (the smallest id of
    its cluster)."""


class Stripped(NamedTuple):
    """What :func:`strip` gives."""

    kept: object
    """DataFrame: all rows, with what is left of their texts."""
    decisions: object
    """DataFrame: a row for each row that is changed: the id, ``action`` (edit), ``reason`` (blocks), ``spans``: a list of
    ``start``, ``end`` (half-open, in UTF-8 bytes of the text), ``block`` and ``why``."""
    blocks: object
    """DataFrame: a row for each repeated passage: ``id`` (in order of first occurrence), ``template``, ``tokens``,
    ``copies``, ``documents``, ``sites``, ``decision`` (strip, keep-first or keep), ``why``, ``evidence`` (as of
    :meth:`descale.Result.blocks`), ``examples`` (a list of ``id``, ``start``, ``end``)."""


class Cleaned(NamedTuple):
    """What :func:`clean` gives."""

    kept: object
    """DataFrame: the rows that stay, with what is left of their texts."""
    decisions: object
    """DataFrame: a row for each row that has a duplicate or is changed: the id, ``action`` (keep, drop or edit),
    ``reason``, ``of``, ``similarity``, ``cluster`` as of :class:`Deduplicated`, ``spans`` as of :class:`Stripped`."""
    blocks: object
    """DataFrame: as of :class:`Stripped`."""


def dedup(df, *, checkpoint, text="text", id="id", partitions=None, broadcast_rows=5_000_000, **options):
    """Drops near-duplicate rows of a DataFrame.

    Args:
        df: a DataFrame. It is read three times: its rows must be the same each time.
        checkpoint: a folder that all executors reach, for the stages; what lies there is overwritten.
        text: the column with the texts; a row without one stays.
        id: the column that numbers the rows: whole numbers, each once. Their order is the input order, which says who
            is kept; ``file_number << 40 | row_number`` is one that never changes. (``monotonically_increasing_id``
            changes with the partitions: a retried task would number its rows anew.)
        partitions: of the shuffles; without it, what Spark is configured to. A worker folds a partition by some
            megabytes at once, and keeps the rest in a file of Spark's local folders where it is larger than 32 MB.
        broadcast_rows: what was found of documents is looked up in the texts by broadcasts of so many (about 100 bytes
            each).
        **options: those of :func:`descale.dedup` that decide on near-duplicates: ``threshold``, ``recall``, ``keep``,
            ``contain``, ``shingle_unit``, ... Others are refused, ``prefer`` too: a DataFrame has no files.

    Returns:
        :class:`Deduplicated`: the rows that stay and the decisions, as DataFrames.
    """
    from descale import _descale

    _refuse(options)
    _descale.Bands(options)  # What is wrong with them is said here, before a task starts.
    stages = _Stages(df.sparkSession, checkpoint, partitions, broadcast_rows)
    near = _near(stages, _documents(df, text, id, options.get("keep")), options)
    return Deduplicated(_without(stages, df, id, near), near.decisions.withColumnRenamed("doc", id))


def strip(df, *, checkpoint, text="text", id="id", site="url", partitions=None, broadcast_rows=5_000_000, **options):
    """Strips repeated blocks from the texts of a DataFrame.

    Args:
        df: a DataFrame. It is read six times, seven where a common phrase was taken for a block: its rows must be the same
            each time.
        checkpoint, text, id, partitions, broadcast_rows: as of :func:`dedup`.
        site: the column that says which site a row is from; of a URL the host counts. It may be missing.
        **options: those of :func:`descale.strip` that decide on blocks: ``min_tokens``, ``min_copies``,
            ``min_documents``, ``keep_copies``, ``protect``, ``exact``, ... Others are refused, ``reviewed`` too.

    Returns:
        :class:`Stripped`: all rows, the decisions and the blocks, as DataFrames.
    """
    from pyspark.sql import functions as F

    from descale import _descale

    _refuse(options)
    _descale.Seeds(options)
    stages = _Stages(df.sparkSession, checkpoint, partitions, broadcast_rows)
    found = _blocks(stages, _documents(df, text, id, site=site), options)
    edited = found.spans.select(
        F.col("doc").alias(id), F.lit("edit").alias("action"), F.lit("blocks").alias("reason"), "spans"
    )
    return Stripped(_edited(stages, df, text, id, found), edited, found.blocks)


def clean(df, *, checkpoint, text="text", id="id", site="url", partitions=None, broadcast_rows=5_000_000, **options):
    """Drops near-duplicate rows of a DataFrame, then strips repeated blocks from the rest.

    As on one machine, blocks are found first and count in no similarity: two pages of one site are not duplicates for what
    the site puts on all of its pages.

    Args:
        df: a DataFrame, as of :func:`strip`; it is read three times more.
        checkpoint, text, id, site, partitions, broadcast_rows: as of :func:`strip`.
        **options: those of :func:`dedup` and :func:`strip`.

    Returns:
        :class:`Cleaned`: the rows that stay, the decisions and the blocks, as DataFrames.
    """
    from pyspark.sql import functions as F

    from descale import _descale

    _refuse(options)
    of_near, of_blocks = _descale.ways(options)
    _descale.Bands(of_near)
    _descale.Seeds(of_blocks)
    stages = _Stages(df.sparkSession, checkpoint, partitions, broadcast_rows)
    documents = _documents(df, text, id, of_near.get("keep"), site)
    found = _blocks(stages, documents, of_blocks)
    cut = stages.look_up(documents.drop("site"), found.edits.select("doc", "cuts"), found.edited, "left")
    near = _near(stages, cut, of_near)
    decided = near.decisions.join(found.spans, "doc", "full")
    dropped, edited = decided["action"] == "drop", decided["spans"].isNotNull()
    decided = decided.select(
        decided["doc"].alias(id),
        F.when(dropped, "drop").when(edited, "edit").otherwise("keep").alias("action"),
        F.when(dropped, decided["reason"]).when(edited, "blocks").alias("reason"),
        *(decided[name] for name in ["of", "similarity", "cluster"]),
        F.when(dropped, None).otherwise(decided["spans"]).alias("spans"),
    )
    kept = _without(stages, df, id, near)
    return Cleaned(_edited(stages, kept, text, id, found), decided, found.blocks)


def _refuse(options):
    """Options that the command knows and that would not count here."""
    from descale import UsageError

    if options.get("prefer"):
        raise UsageError("prefer names input files, and a DataFrame has none\n  help: rank the rows, say keep='field:NAME'")
    if options.get("reviewed"):
        raise UsageError(
            "reviewed is not read on Spark\n  help: filter the decisions by block, or strip on one machine with the list"
        )


class _Stages:
    """The shuffles, the lookups, and the checkpoints between them."""

    def __init__(self, spark, folder, partitions, broadcast_rows):
        self._spark = spark
        self._folder = str(folder).rstrip("/")
        self._partitions = [partitions] if partitions else []
        self._buckets = _BUCKETS * (partitions or int(spark.conf.get("spark.sql.shuffle.partitions", "200")))
        self._limit = broadcast_rows

    def packed(self, rows, work, keys=""):
        """What the work makes of the rows, in packets: those of one key have the same bucket."""
        return rows.mapInArrow(_in_packets(work, keys.split(), self._buckets), _PACKETS)

    def by(self, key, rows):
        """The rows, all of one key in the same partition."""
        return rows.repartition(*self._partitions, key)

    def by_bucket(self, packets):
        """The packets, all of one bucket in the same partition."""
        return self.by("bucket", packets)

    def keep(self, name, rows, schema):
        """Computes the rows now, and gives them as they were written."""
        path = f"{self._folder}/{name}"
        rows.write.mode("overwrite").parquet(path)
        return self._spark.read.schema(schema).parquet(path)

    def look_up(self, documents, rows, most, how="inner", key="doc"):
        """The documents with the row that each has; of a ``left`` lookup, all of them. The texts stay where they are: the
        rows go to them, in parts small enough to be broadcast. There are ``most`` at most, and they are counted only
        where that would take several parts: each costs a scan of the texts, but a count costs a job."""
        from pyspark.sql import functions as F

        parts = 1 if most <= self._limit else max(1, -(-rows.count() // self._limit))
        if parts == 1:
            return documents.join(F.broadcast(rows), key, how)
        part = lambda table, i: table.where(F.pmod(F.xxhash64(key), F.lit(parts)) == i)
        found = [part(documents, i).join(F.broadcast(part(rows, i)), key, how) for i in range(parts)]
        return functools.reduce(lambda a, b: a.unionByName(b), found)


def _documents(df, text, id, keep=None, site=None):
    """The columns that matter, under the names that the maps know."""
    columns = [df[id].cast("long").alias("doc"), df[text].alias("text")]
    if keep is not None and str(keep).startswith("field:"):
        columns.append(df[str(keep)[len("field:") :]].cast("double").alias("rank"))
    if site in df.columns:
        columns.append(df[site].cast("string").alias("site"))
    return df.select(*columns)


class _Near(NamedTuple):
    """What the near-duplicate way decided, on how many documents at most."""

    decisions: object
    candidates: int


def _near(stages, documents, options):
    """Decides on near-duplicates."""
    texts = documents.select("doc", "text", *(["cuts"] if "cuts" in documents.columns else []))
    postings = stages.by_bucket(stages.packed(texts, _map("Bands", options), "key"))
    joined = stages.packed(postings, _fold("Edges")).repartition(1).mapInArrow(_fold("Union"), _COMPONENTS)
    components = stages.keep("components", joined, _COMPONENTS)

    count = components.count()
    candidates = stages.packed(stages.look_up(documents, components, count), _map("Candidates", options), "component")
    verdicts = stages.by_bucket(candidates).mapInArrow(_fold("Verdicts", options), _DECISIONS)
    return _Near(stages.keep("decisions", verdicts, _DECISIONS), count)


class _Found(NamedTuple):
    """What the block way decided: packed cuts by document and how many documents have some, the same cuts for people, and
    the blocks."""

    edits: object
    edited: int
    spans: object
    blocks: object


def _blocks(stages, documents, options):
    """Decides on blocks."""
    hits, count = _hits(stages, documents, options)
    judged = _judged(stages, hits, _sites(stages, documents), options)
    verdicts = judged.where(judged["verdict"].isNotNull()).select(*_TEMPLATE, "doc", "start", "end", "verdict")
    ranked = stages.keep("ranked", verdicts.repartition(1).mapInArrow(_fold("Ranked"), _RANKED), _RANKED)
    blocks = _pictured(stages, documents, judged, ranked, count, options)
    going = blocks.where(blocks["decision"] != "keep").select("id", "documents", "tokens", "copies", "why", "letters")
    bank = _Bank.of(going.toArrow(), blocks.count())
    edits, edited = _matched(stages, documents, judged, ranked, bank, count, options)
    spans = edits.select("doc", "cuts").mapInArrow(_map("Spans", bank), _SPANS)
    return _Found(edits, edited, stages.keep("spans", spans, _SPANS), blocks.drop("letters"))


def _hits(stages, documents, options):
    """The grams that repeat in every document, as runs of such as repeat together: seeds first, then all grams around those
    that repeat. How many documents have some, at most."""
    texts = documents.select("doc", "text")
    seeds = stages.by_bucket(stages.packed(texts, _map("Seeds", options), "key"))
    places = stages.by_bucket(stages.packed(seeds, _fold("Places"), "doc"))
    regions = stages.keep("regions", places.mapInArrow(_fold("Regions", options), _PACKED), _PACKED)
    count = regions.count()
    texts = documents.select("doc", "text", *(["site"] if "site" in documents.columns else []))
    grams = stages.packed(stages.look_up(texts, regions, count), _map("Grams", options), "key")
    hits = stages.by_bucket(stages.packed(stages.by_bucket(grams), _fold("Repeats", options), "doc"))
    return stages.keep("hits", hits.mapInArrow(_fold("Hits"), _HITS), _HITS), count


def _sites(stages, documents):
    """How many documents each site has; none where the rows have no sites."""
    from pyspark.sql import functions as F

    if "site" not in documents.columns:
        return None
    sites = documents.where(documents["text"].isNotNull() & documents["site"].isNotNull()).select("site")
    counts = sites.mapInArrow(_fold("Sites"), _SITES).groupBy("site").agg(F.sum("documents").alias("documents"))
    return stages.keep("sites", counts, _SITES)


def _judged(stages, hits, sites, options):
    """Grams that belong together are templates; the verdict on each, and the places it bears on."""
    from pyspark.sql import functions as F

    runs = hits.select("doc", "rows")
    links = stages.by_bucket(stages.packed(runs, _fold("Links", options), "home"))
    joined = stages.packed(links, _fold("Joined", options)).repartition(1)
    templates = stages.keep("templates", stages.packed(joined, _fold("Linked"), "home"), _PACKETS)
    runs = stages.by_bucket(stages.packed(runs, _map("Runs"), "home").unionByName(templates))
    pieces = stages.packed(runs, _fold("Templates"), "doc")
    hits = stages.by_bucket(stages.packed(hits, _as_they_are, "doc").unionByName(pieces))
    find = _fold("Copies", options)
    if sites is None:
        copies, several = stages.by_bucket(stages.packed(hits, find, "template token")), False
    else:
        copies, several = hits.mapInArrow(find, _COPIES).join(sites, "site", "left"), sites.count() > 1
        copies = stages.by("template", copies.withColumn("documents", F.coalesce("documents", F.lit(0).cast("long"))))
    return stages.keep("judged", copies.mapInArrow(_fold("Judged", options, several), _JUDGED), _JUDGED)


def _pictured(stages, documents, judged, ranked, count, options):
    """The blocks as people see them, with the letters by which other copies of those that go are found."""
    places = judged.where(judged["which"].isNotNull()).join(ranked.select(*_TEMPLATE, "number"), _TEMPLATE)
    columns = ["number", "which", "start", "end", "wants"]
    places = stages.keep("places", _packed(stages, places, columns), _PACKED)
    texts = documents.select("doc", "text")
    sights = stages.look_up(texts, places, count).mapInArrow(_map("Sights", options), _SIGHTS)
    sights = sights.join(ranked.select("number", "verdict"), "number")
    return stages.keep("blocks", stages.by("number", sights).mapInArrow(_fold("Pictured", options), _BLOCKS), _BLOCKS)


def _matched(stages, documents, judged, ranked, bank, count, options):
    """The cuts of every document that has some, and how many have: what its words led to, and what its letters say. Where
    blocks turn out to be common turns of phrase, the documents they spoilt are read again without them."""
    marks = judged.where(judged["mark"].isNotNull()).join(ranked.select(*_TEMPLATE, "number"), _TEMPLATE)
    marks = stages.keep("marks", _packed(stages, marks, ["start", "end", "number", "mark"]), _PACKED)
    texts = documents.select("doc", "text")
    matches = stages.look_up(texts, marks, count, "left").mapInArrow(_map("Matches", options, bank, []), _EDITS)
    edits = stages.keep("edits", matches, _EDITS)
    edited = edits.count()
    new = edits.where(edits["new"].isNotNull()).select("doc", "new")
    counts = new.select("new").mapInArrow(_fold("Counts"), _COUNTS)
    floods = counts.repartition(1).mapInArrow(_fold("Floods", bank), "number long")
    common = [row["number"] for row in floods.collect()]
    if not common:
        return edits, edited
    spoilt = stages.keep("spoilt", new.mapInArrow(_map("Spoilt", common), "doc long"), "doc long")
    again = stages.look_up(texts, spoilt.join(marks, "doc", "left"), edited)
    again = again.mapInArrow(_map("Matches", options, bank, common), _EDITS)
    return stages.keep("rematched", edits.join(spoilt, "doc", "left_anti").unionByName(again), _EDITS), edited


def _packed(stages, rows, columns):
    """These columns of all rows of a document as one value."""
    return stages.by("doc", rows.select("doc", *columns)).mapInArrow(_fold("Packed", columns), _PACKED)


def _without(stages, df, id, near):
    """The rows that are not dropped. The texts stay where they are."""
    dropped = near.decisions.where(near.decisions["action"] == "drop").select(near.decisions["doc"].alias(_DOC))
    return stages.look_up(_numbered(df, id), dropped, near.candidates, "left_anti", key=_DOC).drop(_DOC)


def _edited(stages, df, text, id, found):
    """The rows with what is left of their texts, which stay where they are."""
    cuts = found.edits.select(found.edits["doc"].alias(_DOC), found.edits["cuts"].alias(_CUTS))
    rows = stages.look_up(_numbered(df, id), cuts, found.edited, "left", key=_DOC).drop(_DOC)

    def run(batches):
        import pyarrow

        from descale import _descale
        from descale.spark import _batches

        for batch in batches:
            if batch.num_rows:
                columns = dict(zip(batch.schema.names, batch.columns))
                cuts = columns.pop(_CUTS)
                rows = pyarrow.RecordBatch.from_arrays([columns[text], cuts], ["text", "cuts"])
                (cut,) = _batches(_descale.apply_cuts(rows), batch.num_rows)
                columns[text] = cut.column("text")
                schema = batch.schema.remove(batch.schema.get_field_index(_CUTS))
                yield pyarrow.RecordBatch.from_arrays(list(columns.values()), schema=schema)

    return rows.mapInArrow(run, df.schema)


def _numbered(df, id):
    """The rows with their numbers under a name of our own."""
    return df.withColumn(_DOC, df[id].cast("long"))


class _Bank(NamedTuple):
    """The blocks that go, as bytes that travel with a map."""

    rows: bytes
    blocks: int

    @classmethod
    def of(cls, rows, blocks):
        """Of an Arrow table; ``blocks`` counts all that are told of."""
        import pyarrow

        sink = pyarrow.BufferOutputStream()
        with pyarrow.ipc.new_stream(sink, rows.schema) as stream:
            stream.write_table(rows)
        return cls(sink.getvalue().to_pybytes(), blocks)


@functools.lru_cache(maxsize=1)
def _ready(bank):
    """The same, indexed; once in a process."""
    import pyarrow

    from descale import _descale

    return _descale.Bank(pyarrow.ipc.open_stream(bank.rows).read_all(), bank.blocks)


def _batches(table, most=_ROWS_OUT):
    """The rows of a table of ours, so many at once. (``pyarrow.table`` would do, and loads pandas.)"""
    import pyarrow

    for batch in pyarrow.RecordBatchReader.from_stream(table):
        for start in range(0, batch.num_rows, most):
            yield batch.slice(start, most)


@functools.lru_cache(maxsize=1)
def _settled():
    """What a worker of PySpark has loaded is no garbage: it looks for some after every task, which costs more than many a
    fold. Sail's functions run in a process that is not ours to settle."""
    program = getattr(sys.modules["__main__"], "__spec__", None)
    if program is not None and program.name == "pyspark.daemon":
        gc.freeze()


def _kernel(name, arguments):
    """What does the work, by its name in the extension module."""
    from descale import _descale

    _settled()
    ready = [_ready(argument) if isinstance(argument, _Bank) else argument for argument in arguments]
    return getattr(_descale, name)(*ready)


def _map(name, *arguments):
    """A map over batches, by the class of this name."""

    def run(batches):
        from descale.spark import _batches, _kernel

        kernel = _kernel(name, arguments)
        for batch in batches:
            for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                yield from _batches(kernel.push(batch.slice(start, _ROWS_AT_ONCE)))

    return run


def _fold(name, *arguments):
    """A fold over all rows of a partition, by the class of this name; one over packets takes some buckets at once."""

    def run(batches):
        from descale.spark import _batches, _kernel, _portions

        for portion in _portions(batches):
            kernel = _kernel(name, arguments)
            for rows in portion:
                kernel.push(rows)
            yield from _batches(kernel.finish())

    return run


def _in_packets(work, keys, buckets):
    """The work over batches, its rows in packets by these keys."""

    def run(batches):
        from descale import _descale
        from descale.spark import _batches

        packer = _descale.Packer(keys, buckets)
        for rows in work(batches):
            yield from _batches(packer.push(rows), _PACKETS_AT_ONCE)
        yield from _batches(packer.finish(), _PACKETS_AT_ONCE)

    return run


def _as_they_are(batches):
    """No work."""
    return batches


def _portions(batches):
    """The rows of a partition, divided into what is folded at once: all of it, or of packets all of some buckets."""
    batches = iter(batches)
    first = next(batches, None)
    if first is None:
        return
    batches = itertools.chain([first], batches)
    if "packet" not in first.schema.names:
        yield batches
        return
    from descale import _descale

    # Where Spark shuffles there is room.
    shelf = _descale.Shelf(os.environ.get("SPARK_LOCAL_DIRS", "").split(",")[0] or None)
    for batch in batches:
        shelf.push(batch)

    def portion():
        ends = False
        while not ends:
            packets, ends = shelf.pop()
            yield from _descale.unpack(packets)

    while len(shelf):
        yield portion()
