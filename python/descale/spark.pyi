from os import PathLike
from typing import NamedTuple

from pyspark.sql import DataFrame
from typing_extensions import Unpack

from . import NearOptions

class Deduplicated(NamedTuple):
    kept: DataFrame
    decisions: DataFrame

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
