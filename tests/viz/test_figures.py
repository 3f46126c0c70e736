"""Every figure function: nothing raises, one and many work, names of users do no harm, and no global state is touched."""

from __future__ import annotations

import io
import threading
from types import SimpleNamespace

import numpy as np
import pytest

matplotlib = pytest.importorskip("matplotlib", reason="figures need matplotlib; install with the extra 'plots'")

from matplotlib.figure import Figure  # noqa: E402
from PIL import Image  # noqa: E402

from zoo import viz  # noqa: E402
from zoo.viz import style  # noqa: E402

RANDOM = np.random.default_rng(0)
NASTY = ["$\\frac{$", "a very long class name that goes on and on until nobody reads it any more", "雪 🙂", "", "<b>_^&%#~\\", "two\nlines"]


def photos(n, height=12, width=16):
    return RANDOM.integers(0, 256, (n, height, width, 3), np.uint8)


def labels(n):
    return [NASTY[i % len(NASTY)] + (str(i) if i >= len(NASTY) else "") for i in range(n)]


def rows(n):
    return [
        {"epoch": i + 1, "loss": 1 / (i + 1), "accuracy": i / n, "val_loss": 2 / (i + 1), "val_accuracy": i / n / 2, "learning_rate": 1e-3}
        for i in range(n)
    ]


def calibration(bins):
    middle = (np.arange(bins) + 0.5) / bins
    return SimpleNamespace(edges=np.linspace(0, 1, bins + 1), confidence=middle, accuracy=middle, count=np.arange(bins) + 1, ece=0.1)


def heats(n):
    return {"one": RANDOM.random((n, 3, 3)), "two": RANDOM.random((n, 3, 3))}


FIGURES = {
    "images": lambda n: viz.images(photos(n), labels(n)),
    "images, titles of numpy": lambda n: viz.images(photos(n), np.array(labels(n))),
    "class_counts": lambda n: viz.class_counts({"train": np.arange(n), "test": [1] * n}, labels(n)),
    "co_occurrence": lambda n: viz.co_occurrence(np.arange(n * 2).reshape(n, 2), labels(n), ["a", "b"]),
    "history": lambda n: viz.history(rows(n)),
    "lr_sweep": lambda n: viz.lr_sweep(np.geomspace(1e-6, 1, n), np.arange(n), np.arange(n), 1e-3),
    "confusion": lambda n: viz.confusion(RANDOM.integers(0, 2000, (n, n)), labels(n)),
    "reliability": lambda n: viz.reliability(calibration(n)),
    "explanations": lambda n: viz.explanations(photos(n), heats(n), labels(n)),
    "embedding": lambda n: viz.embedding(RANDOM.normal(size=(n, 2)), range(n), labels(n)),
    "embedding, thumbnails": lambda n: viz.embedding(RANDOM.normal(size=(n, 2)), range(n), labels(n), photos(n)),
    "distances": lambda n: viz.distances(RANDOM.random((n, n)), labels(n)),
    "neighbours": lambda n: viz.neighbours(photos(n), [photos(2)] * n, [["q", *labels(2)]] * n, [[True, False]] * n),
    "feature_maps": lambda n: viz.feature_maps(RANDOM.normal(size=(5, 4, n))),
    "augmentations": lambda n: viz.augmentations(
        photos(1)[0], {f"{i}{name}": photos(1)[0] for i, name in enumerate(labels(n))}, {"0" + labels(1)[0]}
    ),
    "bars": lambda n: viz.bars(labels(n), RANDOM.normal(size=n), RANDOM.random(n), "accuracy"),
}


def drawn(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=50)
    return np.asarray(Image.open(file).convert("RGB"))


@pytest.mark.parametrize("name", FIGURES)
def test_nothing_to_show_is_an_error_that_says_so(name):
    with pytest.raises(ValueError, match="no |nothing|at least one|got shape"):
        FIGURES[name](0)


@pytest.mark.parametrize("n", [1, 7, 43])
@pytest.mark.parametrize("name", FIGURES)
def test_one_and_many_fit_the_report_and_leave_no_global_state(name, n):
    import matplotlib.pyplot as plt

    settings = dict(matplotlib.rcParams)
    figure = FIGURES[name](n)
    assert isinstance(figure, Figure)
    assert figure.get_figwidth() <= style.WIDTH + 1e-6
    pixels = drawn(figure)
    assert pixels.std() > 1
    assert plt.get_fignums() == []
    assert dict(matplotlib.rcParams) == settings


def test_figures_can_be_drawn_in_threads():
    """A browser app draws each session in its own thread."""
    alone = drawn(viz.bars(["a", "b"], [1, 2]))
    found = {}
    threads = [threading.Thread(target=lambda i=i: found.update({i: drawn(viz.bars(["a", "b"], [1, 2]))})) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert all(np.array_equal(pixels, alone) for pixels in found.values())


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_confusion_writes_every_count_in_its_cell():
    matrix = RANDOM.integers(0, 3000, (5, 5))
    matrix[1, 2], matrix[4] = 0, 0
    figure = viz.confusion(matrix, list("abcde"))
    placed = {(int(text.get_position()[1]), int(text.get_position()[0])): text.get_text() for text in figure.axes[0].texts}
    assert placed == {(r, c): str(matrix[r, c]) for r in range(5) for c in range(5)}
    shares = figure.axes[0].images[0].get_array()
    assert np.asarray(shares.mask)[4].all()
    np.testing.assert_allclose(shares[:4].sum(axis=1), 1)


def test_confusion_of_many_classes_leaves_only_zeros_blank():
    matrix = np.diag(np.arange(1, 44))
    assert sorted(texts(viz.confusion(matrix, labels(43))), key=int) == [str(i) for i in range(1, 44)]


def test_class_counts_writes_totals():
    assert texts(viz.class_counts({"train": [1000, 5], "test": [234, 0]}, ["a", "b"])) == ["1,234", "5"]


def test_history_marks_the_epoch_of_the_best_validation_accuracy():
    history = rows(4)
    history[1]["val_accuracy"] = 0.9
    legend = [text.get_text() for text in viz.history(history).legends[0].get_texts()]
    assert legend == ["training", "validation", "best epoch 2"]


def test_history_marks_the_epoch_that_was_chosen_by_something_else():
    figure = viz.history(rows(4), best=3)
    assert figure.legends[0].get_texts()[-1].get_text() == "best epoch 3"


def test_history_reads_strings_and_gaps_as_csv_has_them():
    figure = viz.history([{"epoch": "1", "loss": "0.5", "val_loss": ""}, {"epoch": "2", "loss": "0.25", "val_loss": "0.75"}])
    training, validation = figure.axes[0].lines[:2]
    np.testing.assert_array_equal(training.get_ydata(), [0.5, 0.25])
    np.testing.assert_array_equal(validation.get_ydata(), [np.nan, 0.75])


def test_history_survives_a_loss_that_is_not_finite():
    drawn(viz.history([{"loss": 1.0, "val_loss": "nan"}, {"loss": float("inf"), "val_loss": "nan"}]))
    drawn(viz.lr_sweep([1e-3, 1e-2], [1, np.nan], [1, np.inf], None))


def test_bars_accept_wilson_intervals_and_nan():
    figure = viz.bars(["a", "b"], [0.5, np.nan], [(0.4, 0.7), (0, 1)])
    assert texts(figure) == ["0.5", "–"]
    (segment,) = figure.axes[0].collections[0].get_segments()
    np.testing.assert_allclose(segment[:, 0], [0.4, 0.7])


def test_every_embedding_look_is_unique_for_64_classes():
    from zoo.viz.space import look

    assert len({look(label) for label in range(64)}) == 64


def test_a_gallery_shows_the_pixels_it_was_given():
    pictures = photos(5)
    shown = viz.images(pictures, columns=3).axes[0].images
    assert len(shown) == 5
    for ours, picture in zip(shown, pictures, strict=True):
        np.testing.assert_array_equal(ours.get_array(), picture)
    places = [tuple(np.round(image.get_extent(), 6)) for image in shown]
    assert len(set(places)) == 5
    for left, right, bottom, top in places:
        assert (right - left) / (bottom - top) == pytest.approx(16 / 12, rel=1e-3)


def test_label_destroying_augmentations_are_named_and_framed():
    figure = viz.augmentations(photos(1)[0], {"flip": photos(1)[0], "crop": photos(1)[0]}, {"crop"})
    assert texts(figure) == ["original", "flip", "✗ crop\nlabel at risk"]
    assert [patch.get_linestyle() for patch in figure.axes[0].patches] == ["-", "--"]


def test_plain_text_is_shown_and_never_parsed():
    assert style.plain("$a$") == r"\$a\$"
    assert style.plain("a\n b\t c") == "a b c"
    assert style.plain("雪") == "□"
    assert style.plain("✗ é ß 10°") == "✗ é ß 10°"


@pytest.mark.parametrize(
    ("text", "length", "expected"), [("", 5, ""), ("abcde", 5, "abcde"), ("abcdefghij", 7, "abcd…ij"), ("abcdef", 3, "abc")]
)
def test_short_keeps_both_ends(text, length, expected):
    assert style.short(text, length) == expected
    assert len(style.short(text, length)) <= length


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: viz.images([np.zeros((3, 3, 2))]), r"images\[0\] must be an image .* got shape \(3, 3, 2\)"),
        (lambda: viz.images([np.full((2, 2, 3), np.nan)]), r"images\[0\] holds NaN"),
        (lambda: viz.images(photos(2), ["a"]), "2 images need as many titles, got 1"),
        (lambda: viz.explanations(photos(2), {"a": np.zeros((1, 2, 2))}), r"2 images need as many heats\['a'\], got 1"),
        (lambda: viz.explanations(photos(1), {}), "no heats to show"),
        (lambda: viz.confusion(np.zeros((2, 3)), ["a", "b"]), r"2 rows and 2 columns need a table of that shape, got \(2, 3\)"),
        (lambda: viz.class_counts({"train": [1]}, ["a", "b"]), "2 classes need as many counts, but split 'train' has 1"),
        (lambda: viz.history([{"accuracy": 1}]), "needs a column 'loss', got accuracy"),
        (lambda: viz.lr_sweep([1], [1, 2], [1], None), "got 2, 1 and 1"),
        (lambda: viz.bars(["a"], [1], [[1, 2, 3]]), r"errors must be \(1,\) half-lengths or \(1, 2\)"),
        (lambda: viz.embedding(np.zeros((2, 2)), [0, 3], ["a"]), r"labels must be in \[0, 1\), got 0 to 3"),
        (lambda: viz.embedding(np.zeros((2, 3)), [0, 0], ["a"]), r"points \(n, 2\)"),
        (lambda: viz.embedding([[np.nan, 0]], [0], ["a"]), "NaN or infinite"),
        (lambda: viz.neighbours(photos(1), [[]]), "no neighbours of query 0 to show"),
        (lambda: viz.feature_maps(np.zeros((1, 4, 4, 2))), r"for example maps\[0\]"),
        (lambda: viz.augmentations(photos(1)[0], {"a": photos(1)[0]}, {"b"}), "destroys names b, which is not among a"),
    ],
)
def test_bad_input_is_told_what_is_wrong(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_titles_of_neighbours_are_rows_not_strings():
    """A string would be spread over the row letter by letter."""
    image = np.zeros((8, 8, 3), np.uint8)
    with pytest.raises(ValueError, match="one row per query"):
        viz.neighbours([image], [[image, image]], ["cat"])
    assert texts(viz.neighbours([image], [[image, image]], [["cat", "dog", "hen"]])) == ["cat", "dog", "hen"]
