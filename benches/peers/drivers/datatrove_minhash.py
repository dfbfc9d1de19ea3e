"""datatrove: its four MinHash stages, its English tokeniser and normalisation."""
import sys

from common import BANDS, ROWS, SHINGLE_WORDS
from datatrove.pipeline.dedup import MinhashDedupCluster, MinhashDedupFilter, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupBuckets
from datatrove_stages import WORKERS, run

CONFIG = MinhashConfig(n_grams=SHINGLE_WORDS, num_buckets=BANDS, hashes_per_bucket=ROWS)


def stages(work, reader, writer):
    """The four stages with their numbers of tasks."""
    yield WORKERS, [reader, MinhashDedupSignature(output_folder=str(work / "sig"), config=CONFIG)]
    yield BANDS, [MinhashDedupBuckets(str(work / "sig"), str(work / "dup"), config=CONFIG)]
    yield 1, [MinhashDedupCluster(str(work / "dup"), str(work / "gone"), config=CONFIG)]
    yield WORKERS, [reader, MinhashDedupFilter(str(work / "gone")), writer]


if __name__ == "__main__":
    run(*sys.argv[1:], stages)
