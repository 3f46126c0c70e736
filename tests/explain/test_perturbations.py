"""What the methods that change the image promise alike: batches, chunks, progress, cancelling, nothing left behind (bars B7, B8, B13)."""

import gc
import threading
import tracemalloc

import keras
import numpy as np
import pytest
from keras import layers

from tests.explain.test_cam import Stop, numpy, stopping_target
from tests.explain.test_session import counting
from zoo import explain
from zoo.explain.session import Probe
from zoo.registry import build_classifier

pytestmark = pytest.mark.backend


def rise(*arguments, **options):
    """RISE with so few masks that it is fast."""
    return explain.rise(*arguments, masks=12, **options)


def occlusion(*arguments, **options):
    """Occlusion by few windows."""
    return explain.occlusion(*arguments, window=4, stride=4, **options)


METHODS = pytest.mark.parametrize("method", [explain.scorecam, occlusion, rise], ids=lambda method: method.__name__)


@METHODS
def test_batch_loop_and_chunks_agree(method, images):
    model = build_classifier("small_cnn_micro", input_shape=(16, 16, 3))
    target = [3, 0, 9, 3, 1]
    whole = method(model, images, target)
    assert whole.shape == (5, 16, 16)
    assert whole.dtype == np.float32
    loop = np.concatenate([method(model, images[row], target[row]) for row in range(5)])
    for other in (method(model, images, target, batch_size=2), method(model, images, target, batch_size=1000), loop):
        np.testing.assert_allclose(other, whole, atol=1e-5 * np.abs(whole).max())


@METHODS
def test_no_target_is_the_class_of_the_unchanged_image(method, cnn, images):
    kernel, bias = cnn.get_layer("logits").get_weights()
    cnn.get_layer("logits").set_weights([kernel, bias - numpy(cnn(images.astype("float32"))).mean(0)])  # so that classes compete
    predicted = numpy(cnn(images.astype("float32"))).argmax(-1)
    assert len(set(predicted.tolist())) > 1
    np.testing.assert_array_equal(method(cnn, images), method(cnn, images, predicted))


@METHODS
@pytest.mark.parametrize("final", ["softmax", "sigmoid"])
def test_probabilities_are_explained_by_their_logits(method, final, cnn, images):
    model = keras.Model(cnn.input, layers.Activation(final)(cnn.output))
    expected = method(cnn, images, 1)
    np.testing.assert_allclose(method(model, images, 1), expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())


@METHODS
def test_large_logits_and_a_black_image_stay_finite(method, cnn, images):
    head = cnn.get_layer("logits")
    head.set_weights([1e5 * weight for weight in head.get_weights()])
    assert np.abs(numpy(cnn(images.astype("float32")))).max() > 1e4
    images[0] = 0
    assert np.isfinite(method(cnn, images)).all()


@pytest.mark.parametrize("method", [occlusion, rise], ids=lambda method: method.__name__)
def test_score_that_never_changes_is_a_zero_map_and_a_warning(method, images):
    image = keras.Input((16, 16, 3))
    pooled = layers.GlobalAveragePooling2D()(layers.Conv2D(2, 3)(image))
    model = keras.Model(image, layers.Dense(3, kernel_initializer="zeros", bias_initializer="ones")(pooled))
    with pytest.warns(UserWarning, match="the heat is zero everywhere"):
        np.testing.assert_array_equal(method(model, images, 1), np.zeros((5, 16, 16)))


@METHODS
def test_at_most_a_chunk_of_copies_exists(method, cnn, images, monkeypatch):
    asked, scores = [], Probe.scores

    def counted(self, pictures, rows):
        asked.append(len(pictures))
        return scores(self, pictures, rows)

    monkeypatch.setattr(Probe, "scores", counted)
    method(cnn, images, 0, batch_size=7)
    copies = [count for count in asked if count != len(images)]  # occlusion asks about the unchanged images too
    assert set(copies) == {7}
    assert len(copies) > 3


@METHODS
def test_progress_counts_every_copy(method, cnn, images):
    told = []
    method(cnn, images, 0, batch_size=7, progress=lambda done, total: told.append((done, total)))
    done, totals = zip(*told, strict=True)
    copies = {explain.scorecam: 5 * 8, occlusion: 5 * 4 * 4, rise: 5 * 12}[method]
    assert set(totals) == {copies}
    assert list(done) == [*range(7, copies, 7), copies]


@METHODS
@pytest.mark.parametrize("where", ["progress", "target"])
def test_stopping_leaves_nothing_behind(method, where, images):
    """Bitwise, and the model is free for another thread."""
    image = keras.Input((16, 16, 3))
    x = layers.Dropout(0.5, seed=3)(layers.Conv2D(4, 3, name="conv")(image))
    model = keras.Model(image, layers.Dense(3, activation="softmax", name="head")(layers.GlobalAveragePooling2D()(x)))
    outputs = numpy(model(images.astype("float32")))
    expected = method(model, images, 1, batch_size=8)
    state = [numpy(variable.value) for variable in model.variables]
    attributes = [dict(vars(layer)) for layer in model.layers]

    def stop(done, total):
        if done > 8:
            raise Stop

    target, progress = (1, stop) if where == "progress" else (stopping_target, None)
    with pytest.raises(Stop):
        method(model, images, target, batch_size=8, progress=progress)
    for before, variable in zip(state, model.variables, strict=True):
        np.testing.assert_array_equal(before, numpy(variable.value))
    for before, layer in zip(attributes, model.layers, strict=True):
        assert set(vars(layer)) - set(before) <= {"_torch_params"}
        assert vars(layer).get("activation") is before.get("activation")
        assert "call" not in vars(layer)
    np.testing.assert_array_equal(outputs, numpy(model(images.astype("float32"))))
    found = []
    thread = threading.Thread(target=lambda: found.append(method(model, images, 1, batch_size=8)))
    thread.start()
    thread.join(timeout=60)
    np.testing.assert_array_equal(found[0], expected)


@METHODS
def test_other_options_and_targets_do_not_trace_again(method, images):
    kind = counting()
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv")(kind()(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    method(model, images, None, batch_size=6)
    after_first = kind.runs
    for target in (1, [0, 1, 2, 0, 1], None):
        method(model, images, target, batch_size=6, fill="blur")
    assert keras.backend.backend() == "torch" or kind.runs == after_first


@METHODS
def test_sixty_repeats_keep_no_memory(method, cnn, images):
    images = images[:1]

    def repeat(times):
        for number in range(times):
            method(cnn, images, number % 4, batch_size=100)

    repeat(3)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    repeat(60)
    gc.collect()
    growth = (tracemalloc.get_traced_memory()[0] - before) / 60
    tracemalloc.stop()
    assert growth < 100_000  # bytes per repeat, bar B13


@METHODS
def test_new_weights_change_the_answer(method, cnn, images):
    """Compiled functions must not remember the weights of their first call."""
    before = method(cnn, images, 2)
    head = cnn.get_layer("logits")
    head.set_weights([-3 * weight for weight in head.get_weights()])
    assert np.abs(method(cnn, images, 2) - before).max() > 1e-3 * np.abs(before).max()
    if method is not explain.scorecam:  # linear in the score
        np.testing.assert_allclose(method(cnn, images, 2), -3 * before, rtol=1e-3, atol=1e-4 * np.abs(before).max())


@METHODS
def test_several_inputs_change_their_image_only(method, images):
    image, number = keras.Input((16, 16, 3), name="image"), keras.Input((2,), name="number")
    x = layers.Conv2D(4, 3, activation="relu")(image)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(x), number])
    model = keras.Model({"image": image, "number": number}, {"a": layers.Dense(3)(x), "z": layers.Dense(2, activation="softmax")(x)})
    target = explain.ClassScore(1, output="z")
    one = method(model, {"image": images, "number": np.zeros((5, 2))}, target)
    two = method(model, {"image": images, "number": np.full((5, 2), 3.0)}, target)
    np.testing.assert_allclose(two, one, atol=1e-4 * np.abs(one).max())  # the number adds a constant to the score
