"""text-dedup: running one of its programs with two processes; the data set it leaves is turned into JSONL."""
import pathlib
import shutil
import subprocess
import sys

import datasets


def run(module, source, target, options):
    """Runs `text_dedup.MODULE` on a JSONL file."""
    work = pathlib.Path(target + ".work")
    shutil.rmtree(work, ignore_errors=True)
    options = {"path": "json", "data_files": source, "split": "train", "cache_dir": work / "cache", "output": work / "out",
               "column": "text", "num_proc": 2, "batch_size": 10000, **options}
    flags = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    subprocess.run([sys.executable, "-m", f"text_dedup.{module}", *flags], check=True)
    datasets.load_from_disk(str(work / "out")).to_json(target, force_ascii=False)
    shutil.rmtree(work)
