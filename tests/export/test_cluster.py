"""Clustering: k-means against scikit-learn, the centroids' gradients by the paper's sum, zeros that stay."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers

from zoo.export.compress import cluster, prune, strip
from zoo.export.compress.cluster import STARTS, first_centroids, k_means, settle
from zoo.gradients import value_and_grad

pytestmark = pytest.mark.backend
RNG = np.random.default_rng(0)
X, Y = RNG.uniform(-1, 1, (32, 8, 8, 3)).astype("float32"), np.arange(32) % 3


def net():
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="image")
    x = layers.Conv2D(12, 3, activation="relu", name="conv")(image)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="net")


def trained(model):
    model.compile(keras.optimizers.Adam(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(X, Y, batch_size=8, shuffle=False, verbose=0)
    return model


def numpy(value):
    return keras.ops.convert_to_numpy(value)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize(("size", "number"), [(5, 2), (400, 16), (5000, 32)])
def test_k_means_ends_where_scikit_learn_ends(start, size, number):
    sklearn = pytest.importorskip("sklearn.cluster", reason="scikit-learn is the reference")
    values = np.random.default_rng(size).normal(size=size)
    first = first_centroids(values, number, start)
    theirs = sklearn.KMeans(number, init=first[:, None], n_init=1, algorithm="lloyd", tol=0, max_iter=300).fit(values[:, None])
    ours = k_means(values, first)
    assigned = ours[np.abs(values[:, None] - ours).argmin(axis=1)]
    if start != "linear":  # there clusters can be empty, which scikit-learn fills with far points instead
        assert ((values - assigned) ** 2).sum() == pytest.approx(theirs.inertia_, rel=1e-9)
    for one in range(number):  # the two conditions of Lloyd's fixed point: nearest, and mean of its own
        own = values[assigned == ours[one]]
        assert own.size == 0 or own.mean() == pytest.approx(ours[one], abs=1e-9)


def test_every_element_goes_to_the_nearest_centroid_and_zero_to_zero():
    kernel = np.random.default_rng(2).normal(size=(3, 3, 4, 6)).astype("float32")
    kernel[np.abs(kernel) < 0.5] = 0
    centroids, assignment = settle(kernel, 8, zero=True)
    assert centroids[0] == 0
    np.testing.assert_array_equal(assignment == 0, kernel == 0)
    rest = kernel != 0
    np.testing.assert_array_equal(assignment[rest], 1 + np.abs(kernel[rest][:, None] - centroids[None, 1:]).argmin(axis=1))


@pytest.mark.parametrize("zero", [False, True])
def test_a_kernel_that_is_shared_already_is_kept_to_the_bit(zero):
    table = np.array([0.0, -0.3, 1e-7, 2.5], "float32")
    kernel = table[np.random.default_rng(0).integers(0, 4, (5, 7))]
    centroids, assignment = settle(kernel, 6, zero=zero)
    np.testing.assert_array_equal(centroids.astype("float32")[assignment], kernel)


def test_a_centroid_gets_the_sum_of_its_elements_gradients():
    """Han et al. 2016, section 3.3: dL/dC_k = sum over ij of dL/dW_ij [I_ij = k], with dL/dW from the plain layer."""
    plain = net()
    shared = cluster(plain, 5)
    stripped = strip(shared)

    def loss_of(model):
        return lambda: keras.ops.mean(keras.ops.square(model(X, training=True)))

    book = shared.get_layer("conv").rewrites["kernel"][0]
    _, (got,) = value_and_grad(loss_of(shared), [book.centroids])()
    _, (each,) = value_and_grad(loss_of(stripped), [stripped.get_layer("conv").kernel])()
    wanted = np.bincount(numpy(book.assignment).ravel(), weights=numpy(each).ravel(), minlength=5)
    np.testing.assert_allclose(numpy(got), wanted, rtol=1e-4, atol=1e-6)
    kernel = shared.get_layer("conv").layer.kernel
    assert all(variable is not kernel for variable in shared.trainable_variables)


def test_training_moves_the_values_and_keeps_their_number_and_the_zeros(tmp_path):
    pruned = strip(prune(net(), 0.75, updates=1))
    before = strip(cluster(pruned, 6))
    model = trained(cluster(pruned, 6))
    after = strip(model)
    np.testing.assert_allclose(numpy(after(X)), numpy(model(X)), atol=1e-6)
    for name in ("conv", "depthwise", "logits"):
        old, new = (numpy(one.get_layer(name).kernel) for one in (before, after))
        assert len(np.unique(new)) <= 6
        np.testing.assert_array_equal(new == 0, numpy(pruned.get_layer(name).kernel) == 0)
        assert np.abs(old - new).max() > 0
    model.save(tmp_path / "m.keras")
    loaded = keras.saving.load_model(tmp_path / "m.keras")
    np.testing.assert_array_equal(numpy(loaded(X)), numpy(model(X)))
    trained(loaded)


@pytest.mark.parametrize(("arguments", "said"), [({"clusters": 1}, "from 2 to 256"), ({"start": "random"}, "linear, density")])
def test_wrong_arguments_are_told(arguments, said):
    with pytest.raises(ValueError, match=said):
        cluster(net(), **arguments)
