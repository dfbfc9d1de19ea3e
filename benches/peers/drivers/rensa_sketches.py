"""rensa: R-MinHash sketches of a corpus."""
import rensa
from common import HASHES, records, shingles

BATCH = 1000


def sketches(path):
    """R-MinHash sketches, in batches so that the shingles of the corpus never lie in memory together."""
    batch = []
    for record in records(path):
        batch.append(shingles(record["text"]))
        if len(batch) == BATCH:
            yield from rensa.RMinHash.from_token_sets(batch, HASHES, 42)
            batch = []
    yield from rensa.RMinHash.from_token_sets(batch, HASHES, 42)
