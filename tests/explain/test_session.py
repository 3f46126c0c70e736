"""What is kept between calls, what is given back, and two threads at one model."""

import gc
import threading
import tracemalloc
import weakref

import keras
import numpy as np
import pytest
from keras import layers, ops

from zoo import explain
from zoo.explain import session

pytestmark = pytest.mark.backend


def counting():
    """A layer that counts how often Python runs it: once per trace where functions are compiled, once per call on torch."""

    class Counting(layers.Layer):
        runs = 0

        def call(self, x):
            type(self).runs += 1
            return x

    return Counting


def test_repeated_calls_do_not_trace_again(images):
    kind = counting()
    image = keras.Input((16, 16, 3))
    x = layers.Conv2D(4, 3, name="conv")(kind()(image))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(x)))
    explain.gradcam(model, images, 0, batch_size=2, relu=False)  # five images: two full chunks and a ragged one
    after_first = kind.runs
    for target in (1, [0, 1, 2, 0, 1], None, explain.ClassScore(2)):
        explain.gradcam(model, images, target, batch_size=2, relu=False)
    calls = 12 if keras.backend.backend() == "torch" else 0
    assert kind.runs - after_first == calls


def test_sixty_repeats_keep_no_memory(cnn, images):
    def repeat(times):
        for number in range(times):
            for method in (explain.gradcam, explain.layercam, explain.hirescam, explain.eigencam):
                method(cnn, images, number % 4, relu=False)
            explain.saliency(cnn, images, number % 4)

    repeat(3)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    repeat(60)
    gc.collect()
    growth = (tracemalloc.get_traced_memory()[0] - before) / 60
    tracemalloc.stop()
    assert growth < 100_000  # bytes per repeat, bar B13


def test_new_targets_do_not_pile_up(cnn, images):
    for number in range(session.KEPT + 5):
        explain.gradcam(cnn, images[:1], lambda outputs, number=number: outputs[:, number % 4], relu=False)
    assert len(session._MEMORIES[cnn].kept) == session.KEPT


def test_model_is_freed(images):
    image = keras.Input((16, 16, 3))
    model = keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))))
    explain.gradcam(model, images, 0, relu=False)
    explain.saliency(model, images, 0)
    gone, memory = weakref.ref(model), weakref.ref(session._MEMORIES[model])
    del model, image
    keras.backend.clear_session()
    gc.collect()
    assert gone() is None
    assert memory() is None


def test_sequential_that_grows_is_explained_anew(images):
    model = keras.Sequential([keras.Input((16, 16, 3)), layers.Conv2D(4, 3, name="a"), layers.GlobalAveragePooling2D(), layers.Dense(3)])
    assert explain.gradcam(model, images, 2, relu=False).any()
    model.pop()
    model.add(layers.Dense(7))
    assert explain.gradcam(model, images, 6, relu=False).any()
    explain.forget(model)
    assert model not in session._MEMORIES


def test_threads_share_a_model(cnn, images):
    """Explanations of four layers and methods at once, and predictions meanwhile, all as if each were alone."""
    jobs = [lambda n=n, name=name: explain.gradcam(cnn, images, n, name, relu=False) for n in range(3) for name in ("first", "last")]
    jobs += [lambda: explain.saliency(cnn, images, 1), lambda: ops.convert_to_numpy(cnn(images.astype("float32")))] * 2
    expected = [job() for job in jobs]
    explain.forget(cnn)
    found, errors = {}, []

    def work(number):
        try:
            for _ in range(3):
                found[number] = jobs[number]()
        except Exception as error:  # it must reach the main thread
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    for number, one in enumerate(expected):
        np.testing.assert_allclose(found[number], one, rtol=1e-5, atol=1e-7)
    assert all("call" not in vars(layer) for layer in cnn.layers)


def test_another_thread_does_not_see_a_substitution(cnn):
    from zoo.explain.tap import substituted

    pool = cnn.get_layer("pool")
    x, seen = ops.ones((1, 2, 2, 8)), []
    with substituted(pool, "call", lambda original, x: original(x) + 5):
        thread = threading.Thread(target=lambda: seen.append(float(ops.max(pool(x)))))
        thread.start()
        thread.join()
        assert float(ops.max(pool(x))) == 6
    assert seen == [1]
    assert float(ops.max(pool(x))) == 1
