"""The two curves of the trust panel, with every map that they are compared with."""

import numpy as np
import pytest

from zoo import viz

FRACTIONS = np.linspace(0, 1, 5)
CURVES = {
    "deletion": {"sobel": [1, 0.6, 0.2, 0.1, 0], "the method": [1, 0.2, 0.1, 0, 0]},
    "insertion": {"the method": [0, 0.9, 1, 1, 1], "sobel": [0, 0.5, 0.8, 1, 1]},
}
TITLES = {"the method": "Grad-CAM $x$", "sobel": "Sobel edges", "random": "Random"}


def test_every_curve_is_there_with_its_area():
    figure = viz.trust(FRACTIONS, CURVES, TITLES)
    for ax, name in zip(figure.axes, CURVES, strict=True):
        assert name in ax.get_title(loc="left").lower()
        lines = ax.get_lines()
        assert [line.get_label().partition(" (")[0] for line in lines] == [r"Grad-CAM \$x\$", "Sobel edges"]
        for line, row in zip(lines, ("the method", "sobel"), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), CURVES[name][row])
            assert f"({sum((a + b) / 8 for a, b in zip(CURVES[name][row], CURVES[name][row][1:], strict=False)):.2f})" in line.get_label()
        assert lines[0].get_linewidth() > lines[1].get_linewidth()
        assert lines[0].get_linestyle() != lines[1].get_linestyle()


@pytest.mark.parametrize(("curves", "message"), [({}, "no curves"), ({"deletion": {"sobel": [1, 2]}}, "'sobel' has")])
def test_nothing_to_draw(curves, message):
    with pytest.raises(ValueError, match=message):
        viz.trust(FRACTIONS, curves, TITLES)
