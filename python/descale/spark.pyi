from os import PathLike
from typing import NamedTuple, type_check_only

from pyspark.sql import DataFrame
from typing_extensions import Unpack

from . import BlockOptions, NearOptions

@type_check_only
class BothOptions(NearOptions, BlockOptions, total=False): ...

class Deduplicated(NamedTuple):
    kept: DataFrame
    decisions: DataFrame

class Stripped(NamedTuple):
    kept: DataFrame
    decisions: DataFrame
    blocks: DataFrame

class Cleaned(NamedTuple):
    kept: DataFrame
    decisions: DataFrame
    blocks: DataFrame

def dedup(
    df: DataFrame,
    *,
    checkpoint: str | PathLike[str],
    text: str = "text",
    id: str = "id",
    partitions: int | None = None,
    broadcast_rows: int = 5_000_000,
    **options: Unpack[NearOptions],
) -> Deduplicated: ...
def strip(
    df: DataFrame,
    *,
    checkpoint: str | PathLike[str],
    text: str = "text",
    id: str = "id",
    site: str = "url",
    partitions: int | None = None,
    broadcast_rows: int = 5_000_000,
    **options: Unpack[BlockOptions],
) -> Stripped: ...
def clean(
    df: DataFrame,
    *,
    checkpoint: str | PathLike[str],
    text: str = "text",
    id: str = "id",
    site: str = "url",
    partitions: int | None = None,
    broadcast_rows: int = 5_000_000,
    **options: Unpack[BothOptions],
) -> Cleaned: ...
