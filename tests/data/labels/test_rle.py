"""Run lengths against pycocotools, and against themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from zoo.data.labels import outlines, rle

MASKS = arrays.arrays(bool, st.tuples(st.integers(1, 40), st.integers(1, 40)))


@pytest.fixture(scope="module")
def oracle():
    return pytest.importorskip("pycocotools.mask", reason="pycocotools is the oracle of run lengths")


@settings(max_examples=60, deadline=None)
@given(mask=MASKS)
def test_encoding_is_pycocotools(oracle, mask):
    theirs = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))
    ours = rle.encode(mask)
    assert ours["counts"] == theirs["counts"].decode()
    assert ours["size"] == theirs["size"]
    assert rle.area(ours) == oracle.area(theirs)


@settings(max_examples=60, deadline=None)
@given(mask=MASKS)
def test_decoding_is_pycocotools(oracle, mask):
    theirs = oracle.encode(np.asfortranarray(mask.astype(np.uint8)))
    np.testing.assert_array_equal(rle.decode(theirs), mask)
    listed = rle.encode(mask, squeezed=False)
    np.testing.assert_array_equal(oracle.decode(oracle.frPyObjects(listed, *mask.shape)).astype(bool), mask)


def test_a_large_mask_takes_numbers_of_several_letters(oracle):
    mask = np.zeros((1500, 1400), bool)
    mask[200:1300, 300:1000] = True
    mask[700, 5] = True
    assert rle.encode(mask)["counts"] == oracle.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"].decode()
    np.testing.assert_array_equal(rle.decode(rle.encode(mask)), mask)


@pytest.mark.parametrize(("mask", "counts"), [([[0, 1], [1, 1]], [1, 3]), ([[1]], [0, 1]), ([[0]], [1]), ([[1, 0], [1, 0]], [0, 2, 2])])
def test_by_hand_down_the_columns_zeros_first(mask, counts):
    assert rle.encode(np.array(mask), squeezed=False)["counts"] == counts


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"size": [2, 2], "counts": [1, 2]}, "sum 4"),
        ({"size": [2, 2], "counts": [5, -1]}, ">= 0"),
        ({"size": [2], "counts": [4]}, r"\[height, width\]"),
        ({"size": [2, 2], "counts": "\x01"}, "does not occur"),
        ({"size": [2, 2], "counts": "o"}, "was cut"),
        ({"size": [2, 2], "counts": None}, "NoneType"),
    ],
)
def test_broken_run_lengths_are_named(broken, message):
    with pytest.raises(ValueError, match=message):
        rle.decode(broken)


@settings(max_examples=40, deadline=None)
@given(
    points=st.lists(
        st.tuples(st.integers(-8, 90), st.integers(-8, 70)).map(lambda point: (point[0] / 2, point[1] / 2)),
        min_size=3,
        max_size=8,
        unique=True,
    )
)
def test_a_filled_polygon_has_the_pixels_whose_centre_is_inside(points):
    """matplotlib decides for each centre by itself; centres on an edge may go either way and are left out."""
    from matplotlib.path import Path

    ring = np.array(points)
    centres = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(30) + 0.5), axis=-1).reshape(-1, 2)
    closed = Path(np.concatenate([ring, ring[:1]]))
    starts, ends = ring, np.roll(ring, -1, axis=0)
    along, away = ends - starts, centres[:, None] - starts
    share = np.clip((away * along).sum(-1) / np.maximum((along**2).sum(-1), 1e-9), 0, 1)
    clear = np.linalg.norm(away - share[..., None] * along, axis=-1).min(axis=1) > 1e-6
    even_odd = np.zeros(len(centres), bool)
    if _simple(ring):
        even_odd = closed.contains_points(centres)
        np.testing.assert_array_equal(outlines.filled([ring], 30, 40).ravel()[clear], even_odd[clear])


def _simple(ring: np.ndarray) -> bool:
    """No two edges cross: only then does "inside" mean one thing to everybody."""
    edges = list(zip(ring, np.roll(ring, -1, axis=0), strict=True))

    def side(a, b, c):
        return np.sign((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]))

    for i, (a, b) in enumerate(edges):
        for c, d in edges[i + 2 :]:
            if side(a, b, c) * side(a, b, d) <= 0 and side(c, d, a) * side(c, d, b) <= 0 and not (i == 0 and (d == a).all()):
                return False
    return True


def test_rings_joined_into_one_cover_the_same_pixels():
    square = np.array([[2, 2], [12, 2], [12, 12], [2, 12]], np.float32)
    other = square + [20, 5]
    third = square[::-1] + [5, 20]
    joined = outlines.joined([square, other, third])
    np.testing.assert_array_equal(outlines.filled([joined], 40, 40), outlines.filled([square, other, third], 40, 40))
    assert outlines.area([square, other, third]) == 300
    assert outlines.bounds([square, other]) == (2, 2, 32, 17)
