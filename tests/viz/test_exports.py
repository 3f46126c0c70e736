"""The picture of a model's exports."""

from __future__ import annotations

import pytest

from zoo import viz


def test_every_file_is_drawn_in_every_panel_with_its_agreement():
    times = {"batch 1": [2.0, 3.0], "batch 32": [5.0, 6.0]}
    figure = viz.exports(["onnx int8", "litert fp32"], [1.0, 4.0], times, [0.97, None], [True, False])
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["batch 1", "batch 32"]
    for ax, column in zip(figure.axes, times.values(), strict=True):
        assert [line.get_label() for line in ax.lines] == ["onnx int8, 97.0% does not agree", "litert fp32"]
        assert [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines] == list(zip([1.0, 4.0], column, strict=True))
        assert [line.get_marker() for line in ax.lines][0] == "X"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["onnx int8, 97.0% does not agree", "litert fp32"]
    for ax in figure.axes:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


@pytest.mark.parametrize(
    ("names", "sizes", "times", "shares"),
    [([], [], {"a": []}, []), (["x"], [0.0], {"a": [1.0]}, [1.0]), (["x"], [1.0], {"a": [1.0, 2.0]}, [1.0]), (["x"], [1.0], {}, [1.0])],
)
def test_nothing_to_draw_is_refused(names, sizes, times, shares):
    with pytest.raises(ValueError, match="wanted"):
        viz.exports(names, sizes, times, shares, [False] * len(names))
