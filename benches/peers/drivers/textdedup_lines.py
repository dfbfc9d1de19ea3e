"""text-dedup: its ccnet program, which takes out every line that an earlier one equals when normalised."""
import sys

from textdedup_program import run

if __name__ == "__main__":
    run("ccnet", *sys.argv[1:], {"hash_func": "xxh3"})
