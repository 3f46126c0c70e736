"""Reports of guided projects: the lesson's prose and the promise."""

from __future__ import annotations

import pytest

from zoo.report import Report


def look(run):
    """Look at the data.

    Most failures are **already** here.
    """


def silent(run):
    pass


def test_a_step_teaches_by_its_docstring(tmp_path):
    page = Report("A lesson").lesson(look).write(tmp_path).read_text()
    assert ">Look at the data</h2>" in page
    assert "<strong>already</strong>" in page or "<b>already</b>" in page
    with pytest.raises(ValueError, match="silent has no docstring"):
        Report("A lesson").lesson(silent)


@pytest.mark.parametrize(
    ("floors", "reached", "broken"),
    [
        ({}, {}, 0),
        ({"accuracy": None}, {"accuracy": 0.1}, 0),
        ({"accuracy": 0.7}, {"accuracy": 0.7}, 0),
        ({"accuracy": 0.7}, {"accuracy": 0.699}, 1),
        ({"accuracy": 0.7}, {}, 1),
        ({"accuracy": 0.7, "gap": 0.2}, {"accuracy": 0.5, "gap": 0.1}, 2),
        ({"accuracy": 0.7}, {"accuracy": float("nan")}, 1),
    ],
)
def test_a_promise_is_kept_or_named(floors, reached, broken, tmp_path):
    report = Report("A lesson")
    sentences = report.promises(floors, reached)
    assert len(sentences) == broken
    text = report.write(tmp_path).with_name("report.md").read_text()
    assert text.count("| broken |") == broken
    for sentence in sentences:
        assert "promised was at least" in sentence
