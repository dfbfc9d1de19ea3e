"""The stubs say what the package is: checked by mypy, by its stubtest, and against the options the engine knows."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import descale

STUB = Path(descale.__file__).with_name("__init__.pyi")
TYPED = Path(__file__).parent / "typed.py"


def mypy(*arguments):
    pytest.importorskip("mypy")
    run = subprocess.run([sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=TYPED.parent)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_every_option_is_in_the_stub_and_no_other():
    with pytest.raises(descale.UsageError) as refused:
        descale.dedup("a.jsonl", nonsense=1)
    known = re.search("known are (.*)", str(refused.value))[1].split(", ")
    classes = {node.name: node for node in ast.parse(STUB.read_text()).body if isinstance(node, ast.ClassDef)}
    fields = [
        item.target.id
        for name in ["RunOptions", "NearOptions", "BlockOptions"]
        for item in classes[name].body
        if isinstance(item, ast.AnnAssign)
    ]
    assert sorted(fields) == sorted(known)


def test_the_stubs_are_those_of_the_package():
    mypy("mypy.stubtest", "descale", "--ignore-disjoint-bases")


def test_calls_are_typed(tmp_path):
    said = mypy("mypy", "--strict", "--cache-dir", str(tmp_path), str(TYPED))
    assert "Success" in said
