"""gaoya: MinHashStringIndex, which filters candidates by the sketches' estimate; what it returns is joined."""
import sys

from common import BANDS, ROWS, SHINGLE_WORDS, THRESHOLD, Groups, records, write_kept
from gaoya.minhash import MinHashStringIndex


def main(source, target):
    """Insert all, query all, in batches on its own threads."""
    index = MinHashStringIndex(hash_size=32, jaccard_threshold=THRESHOLD, num_bands=BANDS, band_size=ROWS,
                               analyzer="word", lowercase=True, ngram_range=(SHINGLE_WORDS, SHINGLE_WORDS))
    texts = [record["text"] for record in records(source)]
    index.par_bulk_insert_docs(list(range(len(texts))), texts)
    groups = Groups(len(texts))
    for number, near in enumerate(index.par_bulk_query(texts)):
        for other in near:
            groups.join(number, other)
    write_kept(source, target, groups.first_members())


main(*sys.argv[1:])
