"""rensa: R-MinHash sketches, its LSH index, every candidate joined (no verification)."""
import sys

import rensa
from common import BANDS, HASHES, THRESHOLD, Groups, write_kept
from rensa_sketches import sketches


def main(source, target):
    """Sketch, insert, query, join, write."""
    found = list(sketches(source))
    index = rensa.RMinHashLSH(THRESHOLD, HASHES, BANDS)
    index.insert_many(found)
    groups = Groups(len(found))
    for number, candidates in enumerate(index.query_all(found)):
        for other in candidates:
            groups.join(number, other)
    write_kept(source, target, groups.first_members())


main(*sys.argv[1:])
