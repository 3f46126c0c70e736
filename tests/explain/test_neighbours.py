"""Similarity search and near duplicates, against scikit-learn and scipy, on photographs whose copies are known."""

import io
import json
import shutil
import zipfile

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image, ImageEnhance
from scipy.cluster.hierarchy import fcluster, linkage
from sklearn.neighbors import NearestNeighbors

from zoo import explain
from zoo.data import backgrounds
from zoo.data.decode import ImageError, decode
from zoo.explain.fingerprint import model_digest
from zoo.explain.neighbours import Building
from zoo.predict import Predictor

PHOTOGRAPHS = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "hubble_deep_field.jpg", "brick.png", "grass.png", "gravel.png")


def thumbnails():
    """A picture as 8 x 8 gray values less their mean, over their deviation: blind to light, sharpness and size by construction."""
    image = keras.Input((32, 32, 3))
    x = layers.AveragePooling2D(4)(layers.Rescaling(1 / 255)(image))
    gray = layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(x)
    normal = layers.LayerNormalization(center=False, scale=False, name="normal")(layers.Flatten()(gray))
    return keras.Model(image, layers.Dense(3)(normal))


@pytest.fixture(scope="module")
def predictor():
    return Predictor(thumbnails(), ("a", "b", "c"), (32, 32))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight photographs; of three of them a JPEG copy, a smaller one and a brighter one besides."""
    root = tmp_path_factory.mktemp("pictures")
    (root / "copies").mkdir()
    for name in PHOTOGRAPHS:
        shutil.copy(backgrounds.folder() / name, root / name)
    for name in PHOTOGRAPHS[:3]:
        photo, stem = Image.fromarray(decode(root / name)), name.partition(".")[0]
        photo.save(root / "copies" / f"{stem}_saved.jpg", quality=40)
        photo.resize((photo.width * 3 // 5, photo.height * 3 // 5), Image.Resampling.LANCZOS).save(root / "copies" / f"{stem}_small.png")
        ImageEnhance.Brightness(photo).enhance(0.8).save(root / "copies" / f"{stem}_dark.png")
    return root


@pytest.fixture(scope="module")
def index(predictor, folder):
    return explain.SimilarityIndex.build(predictor, folder, "normal", batch_size=4)


@pytest.mark.backend
def test_search_is_scikit_learns_cosine_search(cnn, images):
    index = explain.SimilarityIndex.build(cnn, images, batch_size=2)
    found = NearestNeighbors(n_neighbors=5, metric="cosine").fit(explain.features(cnn, images))
    for query in images:
        distances, rows = found.kneighbors(explain.features(cnn, query))
        answers = index.search(query, 5)
        assert [answer.row for answer in answers] == rows[0].tolist()
        np.testing.assert_allclose([1 - answer.similarity for answer in answers], distances[0], atol=2e-6)
    assert [answer.name for answer in index.search(images[3], 1)] == ["image 3"]
    assert len(index.search(images[0], 99)) == 5


@pytest.mark.parametrize("name", PHOTOGRAPHS)
def test_a_picture_finds_itself_first(index, folder, name):
    assert index.search(folder / name, 1)[0].name == name
    assert index.search((folder / name).read_bytes(), 1)[0].similarity == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("name", PHOTOGRAPHS[:3])
def test_its_copies_come_next(index, folder, name):
    stem = name.partition(".")[0]
    first = {answer.name for answer in index.search(folder / name, 4)}
    assert first == {name, *(f"copies/{stem}_{kind}" for kind in ("saved.jpg", "small.png", "dark.png"))}


def test_duplicates_are_the_copies(index):
    groups = [{index.names[row] for row in group} for group in explain.near_duplicates(index, 0.99)]
    stems = [name.partition(".")[0] for name in PHOTOGRAPHS[:3]]
    expected = [{f"copies/{stem}_{kind}" for kind in ("saved.jpg", "small.png", "dark.png")} for stem in stems]
    for number, name in enumerate(PHOTOGRAPHS[:3]):
        expected[number].add(name)
    assert sorted(map(sorted, groups)) == sorted(map(sorted, expected))


@pytest.mark.parametrize("threshold", [0.2, 0.6, 0.9])
def test_groups_are_single_linkage(threshold, monkeypatch):
    """scipy's hierarchical clustering, cut at the same distance, knows the same groups. Blocks of a few rows change nothing."""
    from zoo.explain import duplicates

    points = np.random.default_rng(6).normal(size=(120, 4)).astype("float32")
    numbers = fcluster(linkage(points.astype("float64"), "single", metric="cosine"), 1 - threshold, "distance")
    expected = sorted(np.flatnonzero(numbers == number).tolist() for number in set(numbers) if (numbers == number).sum() > 1)
    assert explain.near_duplicates(points, threshold) == expected
    assert len(expected) > 0
    monkeypatch.setattr(duplicates, "_ROWS", 7)
    assert explain.near_duplicates(points, threshold) == expected


def test_no_duplicates_and_zeros():
    assert explain.near_duplicates(np.eye(4)) == []
    assert explain.near_duplicates(np.zeros((3, 2)), 0.5) == []
    assert explain.near_duplicates(np.ones((3, 7), "float32"), 1.0) == [[0, 1, 2]]
    with pytest.raises(ValueError, match=r"a cosine in \(-1, 1\], got 2"):
        explain.near_duplicates(np.eye(4), 2)


def test_batch_size_and_order_do_not_matter(index, predictor, folder):
    alone = explain.SimilarityIndex.build(predictor, folder, "normal", batch_size=1)
    assert alone.names == index.names
    np.testing.assert_allclose(alone.features, index.features, atol=1e-5)
    files = [folder / name for name in index.names]
    back = explain.SimilarityIndex.build(predictor, files[::-1], "normal", names=index.names[::-1])
    np.testing.assert_allclose(back.features[::-1], index.features, atol=1e-5)


def test_a_saved_index_answers_alike(index, predictor, folder, tmp_path):
    path = index.save(tmp_path / "index.npz")
    with np.load(path, allow_pickle=False) as stored:  # no pickle in it
        assert json.loads(str(stored["origin"][0]))["spot"]["path"] == "normal"
    again = explain.SimilarityIndex.load(path, predictor)
    np.testing.assert_array_equal(again.features, index.features)
    assert (again.names, again.origin, again.skipped) == (index.names, index.origin, index.skipped)
    assert again.search(folder / "rocket.jpg") == index.search(folder / "rocket.jpg")
    assert explain.SimilarityIndex.load(path, predictor, "normal").names == index.names


def test_an_index_of_another_maker_is_refused(index, predictor, tmp_path):
    path = index.save(tmp_path / "index.npz")
    trained = thumbnails()
    trained.layers[-1].kernel.assign(trained.layers[-1].kernel + 1e-3)
    with pytest.raises(ValueError, match=r"made with the model .* their weights or layers differ.*build the index again"):
        explain.SimilarityIndex.load(path, Predictor(trained, ("a", "b", "c"), (32, 32)))
    with pytest.raises(ValueError, match=r"made from the layer normal, wanted is flatten.*build the index again"):
        explain.SimilarityIndex.load(path, predictor, predictor.model.layers[-3])
    with pytest.raises(ValueError, match=r"prepared as 32x32x3 by squash, .*these would be 32x32x3 by crop 0.9"):
        explain.SimilarityIndex.load(path, Predictor(predictor.model, ("a", "b", "c"), (32, 32), "crop", crop=0.9))
    with pytest.raises(ValueError, match="these would be arrays as they were given"):
        explain.SimilarityIndex.load(path, predictor.model)


@pytest.mark.backend
def test_the_digest_knows_a_model_by_what_it_computes(cnn, tmp_path):
    before = model_digest(cnn)
    cnn.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert model_digest(loaded) == before
    renamed = keras.models.clone_model(
        cnn, clone_function=lambda layer: type(layer).from_config(layer.get_config() | {"name": f"x_{layer.name}"})
    )
    renamed.set_weights(cnn.get_weights())
    assert model_digest(renamed) == before
    cnn.compile("sgd", "mse")  # no change of what it computes
    cnn.trainable = False
    assert model_digest(cnn) == before
    loaded.get_layer("last").strides = (2, 2)
    assert model_digest(loaded) != before
    bias = cnn.get_layer("first").bias
    bias.assign(bias + 1e-6)
    assert model_digest(cnn) != before


def test_the_digest_sees_the_wiring():
    def model(first, second):
        image = keras.Input((8, 8, 3))
        a, b = layers.ReLU()(image), layers.MaxPooling2D(1)(image)
        return keras.Model(image, layers.Subtract()([(a, b)[first], (a, b)[second]]))

    assert model_digest(model(0, 1)) == model_digest(model(0, 1)) != model_digest(model(1, 0))


DAMAGED = {
    "truncated": lambda data: data[: len(data) // 2],
    "empty": lambda data: b"",
    "text": lambda data: b"no index",
    "a pickle": lambda data: _npz(features=np.array([{"a": 1}], dtype=object)),
    "other arrays": lambda data: _npz(features=np.zeros((2, 2), "float32")),
    "other names": lambda data: _npz(features=np.zeros((2, 2), "float32"), names=np.array(["a"]), **_FACTS),
    "NaN": lambda data: _npz(features=np.full((1, 2), np.nan, "float32"), names=np.array(["a"]), **_FACTS),
    "no facts": lambda data: _npz(features=np.zeros((1, 2), "float32"), names=np.array(["a"]), **_FACTS),
    "the next format": lambda data: _npz(features=np.zeros((1, 2), "float32"), names=np.array(["a"]), **_FACTS | {"format": np.int64(2)}),
    "a picture in a zip": lambda data: _zip(),
}
_FACTS = {"format": np.int64(1), "skipped": np.array([], dtype="U1"), "origin": np.array(["{}"])}


def _npz(**arrays) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=True, **arrays)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("features.npy", b"picture")
    return buffer.getvalue()


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_index_is_refused(case, index, predictor, tmp_path):
    path = index.save(tmp_path / "index.npz")
    path.write_bytes(DAMAGED[case](path.read_bytes()))
    with pytest.raises(ValueError, match="is no index of pictures, or a damaged one .*; build it again"):
        explain.SimilarityIndex.load(path, predictor)


def test_files_that_cannot_be_decoded_are_named(predictor, folder, tmp_path):
    for name in ("chelsea.png", "rocket.jpg"):
        shutil.copy(folder / name, tmp_path / name)
    (tmp_path / "broken.png").write_bytes((folder / "coffee.png").read_bytes()[:5000])
    with pytest.raises(ImageError, match=r"^broken.png: truncated or damaged PNG .*skip bad pictures with skip_bad"):
        explain.SimilarityIndex.build(predictor, tmp_path)
    index = explain.SimilarityIndex.build(predictor, tmp_path, skip_bad=True, batch_size=1)
    assert index.names == ("chelsea.png", "rocket.jpg")
    assert len(index.skipped) == 1
    assert index.skipped[0].startswith("broken.png: truncated")
    for name in ("chelsea.png", "rocket.jpg"):
        (tmp_path / name).unlink()
    with pytest.raises(ValueError, match=r"at least one picture; 1 were skipped, the first: broken.png"):
        explain.SimilarityIndex.build(predictor, tmp_path, skip_bad=True)


def test_building_by_steps(predictor, folder, index):
    building = Building(predictor, folder, "normal", batch_size=7)
    seen = []
    while not building.finished:
        building.step()
        seen.append(building.done)
    assert seen == [7, 14, 17]
    np.testing.assert_allclose(building.index().features, index.features, atol=1e-5)
    half = Building(predictor, folder, "normal", batch_size=7)
    half.step()
    assert half.index().names == index.names[:7]


def test_features_of_zero_resemble_nothing(cnn, images):
    dark = keras.Model(cnn.input, layers.ReLU(name="dead")(layers.Rescaling(0.0)(cnn.output)))
    index = explain.SimilarityIndex.build(dark, images, "dead")
    assert [answer.similarity for answer in index.search(images[0], 2)] == [0, 0]


def test_what_cannot_be_indexed_is_refused(cnn, images, predictor, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        explain.SimilarityIndex.build(predictor, tmp_path / "lost")
    with pytest.raises(ValueError, match="there is no picture in"):
        explain.SimilarityIndex.build(predictor, tmp_path)
    with pytest.raises(ValueError, match=r"a model alone takes arrays \(h, w, c\), got .*give a zoo.predict.Predictor"):
        explain.SimilarityIndex.build(cnn, ["cat.png"])
    with pytest.raises(ValueError, match="got 5 pictures and 1 names"):
        explain.SimilarityIndex.build(cnn, images, names=["a"])
    with pytest.raises(TypeError, match="a folder, a list of pictures or an array .*, got generator"):
        explain.SimilarityIndex.build(cnn, (image for image in images))
    with pytest.raises(ValueError, match="k must be a positive int, got 0"):
        explain.SimilarityIndex.build(cnn, images).search(images[0], 0)
    with pytest.raises(FileNotFoundError, match="there is no index"):
        explain.SimilarityIndex.load(tmp_path / "lost.npz", predictor)
