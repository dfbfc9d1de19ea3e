"""Daft: its expressions for normalising and sketching, a group-by per band, the groups joined (no verification)."""
import sys

import daft
from common import BANDS, HASHES, ROWS, SHINGLE_WORDS, Groups, write_kept
from daft import col
from daft.functions import minhash, normalize


def main(source, target):
    """Sketches as a column; the bands are cut and grouped from the column's buffer."""
    frame = daft.read_json(source)
    text = normalize(col("text"), remove_punct=True, lowercase=True, nfd_unicode=True, white_space=True)
    sketch = minhash(text, num_hashes=HASHES, ngram_size=SHINGLE_WORDS)
    table = frame.select(col("id"), sketch.alias("sketch")).to_arrow()
    numbers = [int(one) for one in table["id"].to_pylist()]
    groups = Groups(len(numbers))
    raw = b"".join(chunk.flatten().cast("uint32").to_numpy(zero_copy_only=False).tobytes()
                   for chunk in table["sketch"].chunks)
    for band in range(BANDS):
        first = {}
        for at, number in enumerate(numbers):
            start = 4 * (at * HASHES + band * ROWS)
            groups.join(number, first.setdefault(raw[start:start + 4 * ROWS], number))
    write_kept(source, target, groups.first_members())


main(*sys.argv[1:])
