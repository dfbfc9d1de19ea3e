"""datatrove: running stages with its local executor on two workers."""
import pathlib
import shutil

from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import JsonlReader
from datatrove.pipeline.writers.jsonl import JsonlWriter

WORKERS = 2


def split(source, folder):
    """datatrove's grain is the file: one per worker."""
    folder.mkdir(parents=True)
    lines = pathlib.Path(source).read_bytes().splitlines(keepends=True)
    half = -(-len(lines) // WORKERS)
    for part in range(WORKERS):
        (folder / f"{part:05}.jsonl").write_bytes(b"".join(lines[part * half:(part + 1) * half]))


def run(source, target, stages):
    """Runs `stages(work, reader, writer)`, pairs of (tasks, pipeline), then puts the parts into one file."""
    work = pathlib.Path(target + ".work")
    shutil.rmtree(work, ignore_errors=True)
    split(source, work / "in")
    reader, writer = JsonlReader(str(work / "in"), id_key="id"), JsonlWriter(str(work / "out"), compression=None)
    for number, (tasks, pipeline) in enumerate(stages(work, reader, writer)):
        LocalPipelineExecutor(pipeline, tasks=tasks, workers=WORKERS, logging_dir=str(work / f"log{number}")).run()
    parts = sorted((work / "out").glob("*.jsonl"))
    pathlib.Path(target).write_bytes(b"".join(part.read_bytes() for part in parts))
    shutil.rmtree(work)
