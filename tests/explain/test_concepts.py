"""Maps of concepts and distances of classes, against numpy's SVD, scikit-learn and what is known of made-up clusters."""

import sys

import numpy as np
import pytest
from sklearn.manifold import trustworthiness
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid

from zoo import explain


@pytest.fixture
def clusters():
    """Three groups of 20 points far apart in 8 dimensions, and their labels."""
    random = np.random.default_rng(4)
    centres = random.normal(0, 6, (3, 8))
    labels = np.repeat([2, 0, 5], 20)
    return np.repeat(centres, 20, axis=0) + random.normal(size=(60, 8)), labels


def test_pca_is_the_svd(clusters):
    points, _ = clusters
    centred = points - points.mean(axis=0)
    left, values, _ = np.linalg.svd(centred, full_matrices=False)
    expected = left[:, :2] * values[:2]
    found = explain.concept_map(points)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found * np.sign(np.sum(found * expected, axis=0)), expected, rtol=1e-4, atol=1e-4)


def test_pca_does_not_depend_on_the_order_or_the_place(clusters):
    points, _ = clusters
    order = np.random.default_rng(1).permutation(len(points))
    found = explain.concept_map(points)
    np.testing.assert_allclose(explain.concept_map(points[order]), found[order], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(explain.concept_map(points + 3), found, rtol=1e-4, atol=1e-4)
    np.testing.assert_array_equal(explain.concept_map(points, seed=9), found)


@pytest.mark.parametrize("method", ["pca", "tsne", pytest.param("umap", marks=pytest.mark.slow)])  # umap compiles itself for a minute
def test_maps_keep_who_is_near_whom(clusters, method, monkeypatch):
    points, labels = clusters
    if method == "umap":
        monkeypatch.setitem(sys.modules, "torchvision", None)  # umap-learn tries it, and a broken one would stop it
        pytest.importorskip("umap", reason="umap-learn is an extra; pip install 'vision-zoo-keras[umap]'")
    places = explain.concept_map(points, method, seed=3)
    assert places.shape == (60, 2)
    assert places.dtype == np.float32
    assert KNeighborsClassifier(5).fit(places, labels).score(places, labels) == 1
    if method != "pca":
        assert trustworthiness(points, places, n_neighbors=5) > 0.85  # 0.7 for a plane through the same points
        np.testing.assert_array_equal(explain.concept_map(points, method, seed=3), places)


@pytest.mark.parametrize(("shape", "axes"), [((2, 5), 1), ((2, 1), 1), ((6, 1), 1), ((3, 2), 2)])
def test_pca_of_little(shape, axes):
    points = np.random.default_rng(0).normal(size=shape)
    places = explain.concept_map(points)
    apart = pairwise_distances(points)
    np.testing.assert_allclose(pairwise_distances(places), apart, atol=1e-5)  # nothing is lost where so little is
    assert (np.ptp(places, axis=0) > 1e-6).sum() == axes


@pytest.mark.parametrize("number", [4, 5, 12])
def test_tsne_of_few_points(number):
    assert np.isfinite(explain.concept_map(np.random.default_rng(0).normal(size=(number, 6)), "tsne")).all()


def test_equal_points_stay_together():
    assert np.isfinite(explain.concept_map(np.ones((9, 4)), "tsne")).all()
    assert not explain.concept_map(np.ones((9, 4)), "pca").any()


def test_what_cannot_be_mapped_is_refused(monkeypatch):
    with pytest.raises(ValueError, match='tsne needs at least 4 points, got 3; use "pca" for so few'):
        explain.concept_map(np.zeros((3, 4)), "tsne")
    with pytest.raises(ValueError, match="pca needs at least 2 points, got 1"):
        explain.concept_map(np.zeros((1, 4)))
    with pytest.raises(ValueError, match="one of pca, tsne, umap, got 'isomap'"):
        explain.concept_map(np.zeros((5, 4)), "isomap")
    with pytest.raises(ValueError, match=r"array \(n, c\) with one row per image, got shape \(5,\)"):
        explain.concept_map(np.zeros(5))
    with pytest.raises(ValueError, match="2 rows hold NaN or infinity"):
        explain.concept_map([[0, np.nan], [1, 1], [np.inf, 0]])
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match=r"umap-learn, which is not installed; run: pip install 'vision-zoo-keras\[umap\]'"):
        explain.concept_map(np.zeros((5, 4)), "umap")
    monkeypatch.setitem(sys.modules, "sklearn.decomposition", None)
    with pytest.raises(ImportError, match="needs scikit-learn, which is not installed"):
        explain.concept_map(np.zeros((5, 4)))


def test_centroids_against_scikit_learn(clusters):
    points, labels = clusters
    found = explain.centroid_distances(points, labels, list("abcdef"))
    reference = NearestCentroid().fit(points, labels)
    assert found.classes == ("a", "c", "f")
    np.testing.assert_allclose(found.centroids, reference.centroids_, rtol=1e-9)
    for name in ("cosine", "euclidean"):
        np.testing.assert_allclose(getattr(found, name), pairwise_distances(reference.centroids_, metric=name), atol=1e-9)
    for row, label in enumerate((0, 2, 5)):
        own = pairwise_distances(points[labels == label], reference.centroids_[row : row + 1])
        assert found.spread[row] == pytest.approx(own.mean())
        assert found.nearest[row] == pairwise_distances(reference.centroids_)[row].argsort()[1]
    np.testing.assert_array_equal(found.counts, [20, 20, 20])


def test_centroids_do_not_depend_on_the_order(clusters):
    points, labels = clusters
    order = np.random.default_rng(1).permutation(len(points))
    found, again = explain.centroid_distances(points, labels), explain.centroid_distances(points[order], labels[order])
    np.testing.assert_allclose(again.euclidean, found.euclidean, rtol=1e-9)
    np.testing.assert_allclose(again.spread, found.spread, rtol=1e-9)
    assert found.classes == ("0", "2", "5")


def test_the_table_reads_as_the_numbers(clusters):
    found = explain.centroid_distances(*clusters, [f"class {label}" for label in range(6)])
    lines = found.table().splitlines()
    assert len(lines) == 4
    assert lines[1].startswith("class 0  20")
    assert f"{found.euclidean[0, found.nearest[0]]:.3g}" in lines[1]


def test_one_class_has_no_neighbour_and_zero_no_direction():
    alone = explain.centroid_distances(np.eye(3), [1, 1, 1])
    assert alone.nearest.tolist() == [-1]
    assert "-" in alone.table()
    dead = explain.centroid_distances([[0.0, 0.0], [1.0, 0.0]], [0, 1])
    np.testing.assert_array_equal(dead.cosine, [[0, 1], [1, 0]])


def test_labels_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match=r"3 features need as many int labels, got int64 of shape \(2,\)"):
        explain.centroid_distances(np.eye(3), [0, 1])
    with pytest.raises(ValueError, match="got float64"):
        explain.centroid_distances(np.eye(3), [0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="labels from 0 to 2 need a name each, 2 names were given"):
        explain.centroid_distances(np.eye(3), [0, 1, 2], ["a", "b"])
