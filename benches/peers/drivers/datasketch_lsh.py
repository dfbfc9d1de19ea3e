"""datasketch: MinHash with its default scheme, MinHashLSH, every candidate joined (no verification)."""
import sys

from common import BANDS, HASHES, ROWS, Groups, records, shingles, write_kept
from datasketch import MinHash, MinHashLSH


def main(source, target):
    """Query, then insert, document by document."""
    index = MinHashLSH(num_perm=HASHES, params=(BANDS, ROWS))
    pairs, count = [], 0
    for number, record in enumerate(records(source)):
        sketch = MinHash(num_perm=HASHES)
        sketch.update_batch([shingle.encode() for shingle in set(shingles(record["text"]))])
        pairs += [(number, other) for other in index.query(sketch)]
        index.insert(number, sketch)
        count = number + 1
    groups = Groups(count)
    for one, other in pairs:
        groups.join(one, other)
    write_kept(source, target, groups.first_members())


main(*sys.argv[1:])
