"""rensa: its RMinHashDeduplicator, which keeps a document unless a kept one is similar by the sketches' estimate."""
import sys

import rensa
from common import BANDS, HASHES, THRESHOLD, write_kept
from rensa_sketches import sketches


def main(source, target):
    """One pass in input order."""
    keeper = rensa.RMinHashDeduplicator(THRESHOLD, HASHES, True, BANDS, 42)
    kept = {number for number, sketch in enumerate(sketches(source)) if keeper.add(str(number), sketch)}
    write_kept(source, target, kept)


main(*sys.argv[1:])
