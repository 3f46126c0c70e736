"""docs/fine_tuning.md is executed as it stands, block after block."""

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parent.parent / "docs" / "fine_tuning.md"


@pytest.mark.backend
def test_the_page_runs(tmp_path, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 6
    names = {"runs": tmp_path}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)  # noqa: S102 - the page is ours, and running it is the test
    printed = capsys.readouterr().out
    assert re.search(r"^c5 .*inference", printed, re.MULTILINE)
    assert "false alarms" in printed
    assert {path.parent.name for path in tmp_path.glob("*/model.keras")} == {"head", "weighted", "balanced", "student", "grown"}
