"""What the README shows is what happens."""

import doctest
import json
import shutil
from pathlib import Path

README = Path(__file__).parent.parent / "README.md"
SEEDS = README.parent.parent / "fixtures" / "seeds"


def test_every_example_of_the_readme(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(SEEDS, "fixtures/seeds")
    Path("corpus").mkdir()
    words = " ".join(f"word{i}" for i in range(40))
    rows = [{"id": "short", "text": words}, {"id": "long", "text": words + " and more"}, {"id": "other", "text": "x y"}]
    Path("corpus/a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "\n".join("" if line.startswith("```") else line for line in README.read_text().splitlines())
    test = doctest.DocTestParser().get_doctest(text, {}, "README.md", str(README), 0)
    assert len(test.examples) > 10
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    report = []
    runner.run(test, out=report.append)
    assert runner.failures == 0, "".join(report)
