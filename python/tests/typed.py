"""Calls as users write them, for the type checker. Each line that must be refused says which mistake it holds; one that is
not refused is an unused ignore, and that is an error too."""

from pathlib import Path

import descale


def files(folder: Path) -> dict[str, object]:
    result = descale.clean([folder / "a.jsonl"], folder / "out", threshold=0.7, keep="longest", memory="2G", site_field=None)
    descale.dedup("a.jsonl", prefer=["trusted/"], shingle_unit="letters", progress=lambda stage, done, total: None)
    descale.strip("a.jsonl", protect=["quotes"], keep_copies="first", resume=True)
    descale.dedup("a.jsonl", treshold=0.7)  # type: ignore[call-arg]
    descale.dedup("a.jsonl", threshold="much")  # type: ignore[arg-type]
    descale.strip("a.jsonl", protect=["everything"])  # type: ignore[list-item]
    return result.summary


def tables(table: descale.Table) -> int:
    result = descale.dedup(table)
    kept = result.table
    kept.num_rows  # type: ignore[union-attr]
    return 0 if kept is None else kept.num_rows


def parts() -> float:
    descale.sketch(["a", None], seed=3)
    descale.sketch(["a"], min_tokens=3)  # type: ignore[call-arg]
    one: float = descale.similarity("a", "b").jaccard
    several: descale.Table = descale.similarity(["a"], ["b"])
    return one + several.num_rows
