from os import PathLike
from pathlib import Path
from typing import Any, Iterable, Literal, NamedTuple, Protocol, Sequence, TypedDict, final, overload, type_check_only

from typing_extensions import Unpack

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

__version__: str

@type_check_only
class _ArrowStream(Protocol):
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...

@type_check_only
class _ArrowArray(Protocol):
    def __arrow_c_array__(self, requested_schema: object | None = None) -> object: ...

@type_check_only
class _Dataset(Protocol):
    def with_format(self, type: str) -> Any: ...

@type_check_only
class Progress(Protocol):
    def __call__(self, stage: str, done_bytes: int, total_bytes: int, /) -> object: ...

_Path = str | PathLike[str]
_Inputs = _Path | Iterable[_Path] | _ArrowStream | _ArrowArray | _Dataset
_Texts = Sequence[str | None] | _ArrowStream | _ArrowArray

@type_check_only
class NearOptions(TypedDict, total=False):
    threshold: float
    """Jaccard similarity of the shingles from which on two documents are near-duplicates; default 0.8."""
    recall: float
    """Share of the pairs at the threshold that must be found; default 0.99."""
    shingle_unit: Literal["words", "letters"]
    """What a shingle is made of; letters suit noisy copies; default "words"."""
    shingle_tokens: int
    """Units in a shingle, 1 to 64; default 5."""
    seed: int
    """Seed of the sketches."""
    keep: str
    """Which document of a cluster stays: "first", "longest" or "field:NAME"."""
    prefer: Iterable[str]
    """Input files or folders whose documents stay rather than others, the most trusted first."""
    contain: float | None
    """Also drop a document when this share of its shingles lies in a larger one."""

@type_check_only
class BlockOptions(TypedDict, total=False):
    exact: bool
    """Take out every repeated passage, boilerplate or not, and keep its first copy."""
    min_tokens: int
    """Fewest tokens of a block; default 8."""
    min_copies: int
    """Fewest copies of a block that goes."""
    min_documents: int
    """Fewest documents that carry a block that goes."""
    keep_copies: Literal["auto", "none", "first"]
    """Which copies of a block that goes stay all the same."""
    protect: Iterable[Literal["quotes", "code", "relatives", "refrains"]]
    """What stays although it repeats."""
    gram_tokens: int
    """Tokens in a gram, the unit whose copies are counted."""
    window: int
    """Grams in a window: every repeat of gram_tokens + window - 1 tokens is found."""

@type_check_only
class RunOptions(TypedDict, total=False):
    text_field: str
    """The field or column with the text; default "text"."""
    id_field: str
    """The field or column that names a record; default "id"."""
    site_field: str | None
    """The field or column that says which site a record is from; default "url", of which the host counts; "" for none."""
    threads: int
    """Worker threads; 0 = one per core."""
    memory: int | str
    """Bytes to stay within, or as in "2G"; the rest is spilled."""
    temp_dir: _Path | None
    """Where to spill."""
    format: Literal["jsonl", "text", "parquet", "warc"] | None
    """What files hold that are named, or matched by a glob, and whose names do not say it."""
    reviewed: _Path | None
    """Blocks with decisions made by a person, in the form of blocks.jsonl: they go before every rule."""
    on_bad_record: Literal["stop", "skip", "replace"]
    """What to do with a record that cannot be read; "replace" reads broken UTF-8 all the same."""
    max_record: int | str
    """Bytes of the longest record that is read, or as in "256M"."""
    max_expansion: int
    """How many times its size a file may be when decompressed."""
    overwrite: bool
    """Replace results that are already there."""
    resume: bool
    """Go on where a run into the same folder was broken off."""

@type_check_only
class Options(RunOptions, NearOptions, BlockOptions, total=False): ...

class DescaleError(Exception): ...
class UsageError(DescaleError, ValueError): ...
class InputError(DescaleError, ValueError): ...
class ResourceError(DescaleError, OSError): ...
class InternalError(DescaleError, RuntimeError): ...

@final
class Table:
    """A table in Arrow's memory layout: ``pyarrow.table(t)``, ``polars.DataFrame(t)`` take it without a copy."""

    def __new__(cls, arrow: _ArrowStream | _ArrowArray, text_field: str = "text") -> Table: ...
    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...
    def __len__(self) -> int: ...
    @property
    def column_names(self) -> list[str]: ...
    @property
    def num_rows(self) -> int: ...
    def to_pyarrow(self) -> Any: ...
    def to_polars(self) -> Any: ...
    def to_pandas(self) -> Any: ...
    def to_pylist(self) -> list[dict[str, Any]]: ...

class Result:
    summary: dict[str, Any]
    folder: Path | str
    table: Table | None
    decisions: Table | None
    def __init__(
        self,
        summary: dict[str, Any],
        folder: Path | str,
        holder: object = None,
        table: Table | None = None,
        decisions: Table | None = None,
    ) -> None: ...
    def plan(self) -> Table: ...
    def blocks(self) -> Table: ...
    def clusters(self) -> Table: ...

class Similarity(NamedTuple):
    jaccard: float
    a_in_b: float
    b_in_a: float

def clean(
    inputs: _Inputs, out: _Path | None = None, *, progress: Progress | None = None, **options: Unpack[Options]
) -> Result: ...
def dedup(
    inputs: _Inputs, out: _Path | None = None, *, progress: Progress | None = None, **options: Unpack[Options]
) -> Result: ...
def strip(
    inputs: _Inputs, out: _Path | None = None, *, progress: Progress | None = None, **options: Unpack[Options]
) -> Result: ...
def scan(
    inputs: _Inputs, out: _Path | None = None, *, progress: Progress | None = None, **options: Unpack[Options]
) -> Result: ...
def explain(dir: _Path, *ids: str) -> str: ...
def restore(dir: _Path, to: _Path, *, progress: Progress | None = None) -> int: ...
def tokenize(texts: str | _Texts) -> Table: ...
def sketch(texts: str | _Texts, **options: Unpack[NearOptions]) -> Table: ...
def band_keys(texts: str | _Texts, **options: Unpack[NearOptions]) -> Table: ...
def seeds(texts: str | _Texts, **options: Unpack[BlockOptions]) -> Table: ...
@overload
def similarity(a: str, b: str, **options: Unpack[NearOptions]) -> Similarity: ...  # type: ignore[overload-overlap]
@overload
def similarity(a: _Texts, b: _Texts, **options: Unpack[NearOptions]) -> Table: ...
