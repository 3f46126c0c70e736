"""The class `Detector`: a criterion where Keras has a loss, and everything else as Keras does it."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.detect.toys import Count, batch, detector
from zoo.detect.model import Detector

pytestmark = pytest.mark.backend


@pytest.mark.parametrize("jit", [False, True])
def test_loss_and_parts_are_means_over_the_images_and_start_anew_in_every_epoch(jit):
    if jit and keras.backend.backend() == "torch":
        pytest.skip("jit_compile=True on torch is torch.compile, which needs a C++ compiler; Keras' default there is eager")
    model = detector(Count())
    model.compile(keras.optimizers.SGD(0.0), jit_compile=jit)
    images, truth = batch()
    history = model.fit(images, truth, batch_size=4, epochs=2, shuffle=False, verbose=0).history
    assert set(history) == {"loss", "box", "class"}
    assert history["box"] == pytest.approx([2.5, 2.5])  # of 0 ... 5: batches of 4 and 2 count by their images
    assert history["loss"] == pytest.approx([a + b for a, b in zip(history["box"], history["class"], strict=True)], rel=1e-5)
    later = model.evaluate(*batch(first=10.0), batch_size=4, verbose=0, return_dict=True)
    assert later["box"] == pytest.approx(12.5)


def test_a_weight_penalty_is_added():
    model = detector(Count(share=0.0), keras.regularizers.L2(0.1))
    model.compile("sgd")
    images, truth = batch()
    kernels = [ops.convert_to_numpy(model.get_layer(name).kernel) for name in ("stage1_conv", "stage2_conv")]
    wanted = 2.5 + 0.1 * sum(float(np.square(kernel).sum()) for kernel in kernels)
    assert model.evaluate(images, truth, verbose=0, return_dict=True)["loss"] == pytest.approx(wanted, rel=1e-5)


def test_a_saved_detector_is_the_same_to_the_bit_and_goes_on_learning(tmp_path):
    model = detector(Count(share=0.25))
    model.compile("adam")
    images, truth = batch()
    model.fit(images, truth, verbose=0)
    model.save(tmp_path / "toy.keras")
    again = keras.models.load_model(tmp_path / "toy.keras")
    assert type(again) is Detector
    assert again.criterion == Count(share=0.25)
    assert again.levels == model.levels
    for name, value in model.predict(images, verbose=0).items():
        np.testing.assert_array_equal(again.predict(images, verbose=0)[name], value)
    assert set(again.fit(images, truth, verbose=0).history) == {"loss", "box", "class"}


def test_weights_alone_fit_a_detector_without_a_criterion(tmp_path):
    model = detector(Count())
    model.save_weights(tmp_path / "toy.weights.h5")
    bare = detector()
    bare.load_weights(tmp_path / "toy.weights.h5")
    for ours, theirs in zip(model.weights, bare.weights, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs))


def test_the_predictor_shares_the_weights_and_leaves_the_rest_out():
    model = detector(Count())
    images, _ = batch()
    outputs = model.predictor().predict(images, verbose=0)
    assert list(outputs) == ["boxes", "scores"]
    np.testing.assert_array_equal(outputs["scores"], model.predict(images, verbose=0)["scores"])
    assert type(model.predictor()) is not Detector


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends need jax2tf or torch.export for a SavedModel")
def test_export_gives_boxes_and_scores(tmp_path):
    import tensorflow as tf

    model = detector(Count())
    images, _ = batch()
    model.export(tmp_path / "toy", verbose=False)
    loaded = tf.saved_model.load(str(tmp_path / "toy"))
    outputs = loaded.serve(images)
    assert set(outputs) == {"boxes", "scores"}
    np.testing.assert_allclose(outputs["boxes"], model.predict(images, verbose=0)["boxes"], rtol=1e-5, atol=1e-5)


def test_what_cannot_train_says_why():
    images, truth = batch()
    image = keras.Input((32, 32, 3))
    with pytest.raises(ValueError, match=r'dict with at least "boxes" and "scores", got KerasTensor'):
        Detector(image, keras.layers.Dense(2)(image))
    bare = detector()
    bare.compile("adam")
    with pytest.raises(ValueError, match="toy has no criterion"):
        bare.fit(images, truth, verbose=0)
    model = detector(Count())
    model.compile("adam")
    with pytest.raises(ValueError, match=r'wanted labels \{"boxes"'):
        model.fit(images, truth["classes"], verbose=0)
    with pytest.raises(ValueError, match="no sample weights"):
        model.fit(images, truth, sample_weight=np.ones(6), verbose=0)
    model.compile("adam", loss={"boxes": "mse", "scores": "mse", "raw": "mse"})
    with pytest.raises(ValueError, match=r"compile without loss"):
        model.fit(images, {**truth, "scores": truth["boxes"][:, :, :2], "raw": truth["boxes"][:, :, :3]}, verbose=0)
