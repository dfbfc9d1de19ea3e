"""datatrove: its three stages against repeated sentences, on windows of three lines; documents are not dropped."""
import sys

from datatrove.pipeline.dedup.sentence_dedup import (SentDedupConfig, SentenceDedupFilter, SentenceDedupSignature,
                                                     SentenceFindDedups)
from datatrove_stages import WORKERS, run

CONFIG = SentDedupConfig(n_sentences=3, split_sentences=False, only_dedup_in_index=False, min_doc_words=0,
                         min_num_sentences=0)


def stages(work, reader, writer):
    """The three stages with their numbers of tasks."""
    yield WORKERS, [reader, SentenceDedupSignature(output_folder=str(work / "sig"), config=CONFIG)]
    yield 1, [SentenceFindDedups(data_folder=str(work / "sig"), output_folder=str(work / "dup"), config=CONFIG)]
    yield WORKERS, [reader, SentenceDedupFilter(data_folder=str(work / "dup"), config=CONFIG), writer]


if __name__ == "__main__":
    run(*sys.argv[1:], stages)
