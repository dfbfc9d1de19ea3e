"""text-dedup: its minhash program (no verification)."""
import sys

from common import BANDS, HASHES, ROWS, SHINGLE_WORDS, THRESHOLD
from textdedup_program import run

OPTIONS = {"ngram": SHINGLE_WORDS, "num_perm": HASHES, "b": BANDS, "r": ROWS, "threshold": THRESHOLD, "min_length": 0,
           "hash_func": "xxh3"}

if __name__ == "__main__":
    run("minhash", *sys.argv[1:], OPTIONS)
