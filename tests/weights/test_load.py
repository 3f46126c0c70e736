"""Loading: every tensor by name, all of them or none, and an error that says which and what to do."""

from __future__ import annotations

import json
import pickle

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from safetensors.numpy import save_file

import zoo
from zoo import registry
from zoo.weights import fill, find, load_weights, save_weights
from zoo.weights.load import constants
from zoo.weights.match import require_match
from zoo.weights.stored import opened
from zoo.weights.tree import tree

ROW = "small_cnn_micro"


def model(row=ROW, seed=0, **options):
    """A row with every weight drawn at random, batch statistics included."""
    built = registry.build_classifier(row, **options)
    random = np.random.default_rng(seed)
    for variable in tree(built).values():
        variable.assign(random.uniform(0.1, 1, variable.shape))
    return built


def values(built):
    return {path: keras.ops.convert_to_numpy(variable.value).copy() for path, variable in tree(built).items()}


def assert_equal(left, right):
    left, right = (values(one) if isinstance(one, keras.Model) else one for one in (left, right))
    assert list(left) == list(right)
    for path in left:
        np.testing.assert_array_equal(left[path], right[path], err_msg=path)


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.safetensors"
    save_weights(model(seed=1), path)
    return path


@pytest.mark.backend
@pytest.mark.parametrize("suffix", [".safetensors", ".weights.h5"])
@pytest.mark.parametrize("row", [ROW, "resnet_bottleneck_micro", "vgg_bn_micro", "lenet_micro", "alexnet_micro"])
def test_round_trip(tmp_path, row, suffix):
    source, target, path = model(row, 1), model(row, 2), tmp_path / f"a{suffix}"
    if suffix == ".safetensors":
        save_weights(source, path)
    else:
        source.save_weights(path)
    load_weights(target, path)
    assert_equal(source, target)


@pytest.mark.backend
def test_create_takes_classes_and_constants_from_the_file(tmp_path):
    path = tmp_path / "a.safetensors"
    source = model(seed=1, classes=4, mean=(1.0, 2.0, 3.0), std=(4.0, 5.0, 6.0))
    save_weights(source, path)
    built = zoo.classifier(ROW, weights=path)
    assert_equal(source, built)
    assert constants(built) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
    images = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(one(images, training=False)) for one in (source, built)))


def test_paths_are_layer_and_weight_names_on_every_model():
    inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1, name="a"), layers.Dropout(0.5, seed=1)], name="inner")
    shared = layers.Conv2D(4, 1, use_bias=False, name="shared")
    image = keras.Input((8, 8, 4))
    outer = keras.Model(image, layers.Dense(2, name="logits")(shared(inner(shared(image)))), name="outer")
    assert list(tree(outer)) == ["shared/kernel", "inner/a/kernel", "inner/a/bias", "logits/kernel", "logits/bias"]
    bare = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1, name="a")], name="bare")
    assert list(tree(bare)) == ["a/kernel", "a/bias"]


def test_nested_and_shared_models_make_the_round_trip(tmp_path):
    def build():
        inner = keras.Sequential([keras.Input((8, 8, 4)), layers.Conv2D(4, 1, name="a"), layers.BatchNormalization(name="b")], name="inner")
        image = keras.Input((8, 8, 4))
        x = layers.SeparableConv2D(4, 3, name="separable")(inner(inner(image)))
        x = layers.MultiHeadAttention(2, 3, name="attention")(*2 * (layers.Reshape((-1, 4))(x),))
        return keras.Model(image, layers.Bidirectional(layers.LSTM(2, name="lstm"), name="both")(x))

    source = build()
    for index, suffix in enumerate((".safetensors", ".weights.h5")):
        target, path = build(), tmp_path / f"{index}{suffix}"
        save_weights(source, path) if index == 0 else source.save_weights(path)
        load_weights(target, path)
        assert_equal(source, target)


def test_layers_of_equal_shape_are_told_apart_by_name_not_by_position(tmp_path):
    """Keras itself files them by position and would exchange them silently."""

    def build(*names):
        return keras.Sequential([keras.Input((4,)), *(layers.Dense(4, name=name) for name in names)])

    source, target = build("first", "second"), build("second", "first")
    source.save_weights(tmp_path / "a.weights.h5")
    load_weights(target, tmp_path / "a.weights.h5")
    for name in ("first", "second"):
        np.testing.assert_array_equal(*(keras.ops.convert_to_numpy(one.get_layer(name).kernel) for one in (source, target)))


@pytest.mark.backend
@pytest.mark.parametrize("top", [True, False])
def test_a_backbone_leaves_the_head_of_the_file_out(tmp_path, top):
    source = model("vgg_micro", 1)
    save_weights(source, tmp_path / "a.safetensors")
    built = (
        zoo.backbone("vgg_micro", weights=tmp_path / "a.safetensors")
        if not top
        else zoo.classifier("vgg_micro", weights=tmp_path / "a.safetensors")
    )
    wanted = {path: value for path, value in values(source).items() if top or not path.startswith(("fc", "logits"))}
    assert_equal(wanted, built)


def test_skip_keeps_the_new_head(archive):
    built = zoo.classifier(ROW, weights=archive, classes=3, skip=("logits",))
    source = values(model(seed=1))
    found = values(built)
    assert found["logits/bias"].shape == (3,)
    assert {path for path in source if not path.startswith("logits")} == {
        path for path in source if np.array_equal(source[path], found[path])
    }


@pytest.mark.backend
def test_another_class_count_starts_a_new_head_and_says_so(archive):
    """Everything else is loaded, to the bit."""
    with pytest.warns(UserWarning, match=r"have 10 classes, not 3: all but the layer 'logits'"):
        built = zoo.classifier(ROW, weights=archive, classes=3)
    source, found = values(model(seed=1)), values(built)
    assert found["logits/kernel"].shape == (source["logits/kernel"].shape[0], 3)
    assert np.abs(found["logits/kernel"]).max() > 0
    assert {path for path in source if np.array_equal(source[path], found[path])} == {path for path in source if "logits" not in path}


def test_only_the_logits_of_a_head_with_hidden_layers_are_new(tmp_path):
    source = model("mobilenet_v3_micro", 1)
    save_weights(source, tmp_path / "a.safetensors")
    with pytest.warns(UserWarning, match="have 10 classes, not 4"):
        built = zoo.classifier("mobilenet_v3_micro", weights=tmp_path / "a.safetensors", classes=4)
    for path, value in values(source).items():
        if not path.startswith("logits"):
            np.testing.assert_array_equal(values(built)[path], value, err_msg=path)


@pytest.mark.parametrize("skip", [(), ("stem*",)])
def test_another_class_count_than_the_published_one_is_told_before_the_download(monkeypatch, skip):
    def fetch(*_, **__):
        raise OSError("the file was asked for")

    monkeypatch.setattr("zoo.download.fetch", fetch)
    with pytest.raises(OSError, match="asked for"), pytest.warns(UserWarning, match=r"'imagenet' have 1000 classes, not 7"):
        zoo.classifier("mobilenet_v2_035", weights="imagenet", classes=7, skip=skip)


def test_asking_for_a_new_head_by_name_is_quiet(archive):
    """Warnings are errors in this suite."""
    assert zoo.classifier(ROW, weights=archive, classes=3, skip=("logits",)).output_shape == (None, 3)


def test_an_impossible_class_count_is_refused_before_any_warning(archive):
    for classes in (0, -1, 2.5, True):
        with pytest.raises(ValueError, match="classes must be a positive int"):
            zoo.classifier(ROW, weights=archive, classes=classes)


def test_load_weights_has_no_class_count_and_so_refuses_another_head(archive):
    with pytest.raises(ValueError, match=r'10 classes and the model 3.*skip=\("logits",\)'):
        load_weights(model(classes=3), archive)


def test_the_size_of_the_published_weights_is_the_size_of_the_model(monkeypatch):
    """mobilenet_025 has 224 pixels, but some of its weights were trained for fewer."""
    monkeypatch.setattr("zoo.weights.fill", lambda *_, **__: None)
    for tag, side in [("imagenet", 224), ("imagenet_160", 160), ("imagenet_int8", 128)]:
        assert zoo.classifier("mobilenet_025", weights=tag).input_shape == (None, side, side, 3)
    assert zoo.classifier("mobilenet_025", weights="imagenet_160", input_shape=(64, 96, 3)).input_shape == (None, 64, 96, 3)


def test_bfloat16_is_told_with_what_is_accepted(tmp_path):
    """safetensors has the type and numpy has not, so such a file is not read; it is floating point all the same."""
    header = {"kernel": {"dtype": "BF16", "shape": [1, 1, 3, 2], "data_offsets": [0, 12]}}
    text = json.dumps(header).encode()
    path = tmp_path / "a.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(12))
    image = keras.Input((4, 4, 3))
    target = keras.Model(image, layers.Conv2D(2, 1, use_bias=False, name="conv")(image))
    message = r"not accepted: conv/kernel: BF16\n  Accepted is float16 or float32 or float64: convert"
    with opened(path) as file, pytest.raises(ValueError, match=message):
        require_match({"conv/kernel": file.tensors["kernel"]}, tree(target), target, file)


def test_a_file_without_head_says_to_skip_it(tmp_path):
    save_weights(registry.build_backbone(ROW, input_shape=(32, 32, 3)), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=r"no head.*skip=\('logits',\)"):
        load_weights(model(), tmp_path / "a.safetensors")


def test_unknown_skip_names_are_refused(archive):
    with pytest.raises(ValueError, match="skip names 'logit'.*did you mean logits"):
        load_weights(model(), archive, skip=("logit",))


def remove(file, group):
    del group["layers/conv2d/vars/0"]


def add(file, group):
    file.create_group("layers/dense_1/vars").attrs["name"] = "more"
    file["layers/dense_1/vars"].create_dataset("0", data=np.zeros((2, 2), "float32"))


def third(file, group):
    file["layers/dense/vars"].create_dataset("2", data=np.zeros(2, "float32"))


def rename(file, group):
    file["layers/conv2d/vars"].attrs["name"] = "renamed"


def reshape(file, group):
    change(file, np.zeros((3, 3, 3, 9), "float32"))


def integers(file, group):
    change(file, np.zeros((3, 3, 3, 8), "int8"))


def nan(file, group):
    change(file, np.full((3, 3, 3, 8), np.nan, "float32"))


def infinite(file, group):
    change(file, np.where(np.arange(216).reshape(3, 3, 3, 8) == 5, np.inf, 0).astype("float32"))


def change(file, value):
    del file["layers/conv2d/vars/0"]
    file["layers/conv2d/vars"].create_dataset("0", data=value)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (remove, "absent in the file: stage1_block0_conv/kernel"),
        (add, r"left over in the file: more/0 \[2, 2\]"),
        (third, r"left over in the file: logits/2 \[2\]"),
        (rename, "absent in the file: stage1_block0_conv/kernel.*\n.*left over in the file: renamed/0"),
        (reshape, r"misshapen \(file, model\): stage1_block0_conv/kernel: \[3, 3, 3, 9\], \[3, 3, 3, 8\]"),
        (integers, r"not accepted: stage1_block0_conv/kernel: int8\n  Accepted is float16 or float32 or float64: convert"),
        (nan, "NaN or infinity, for example stage1_block0_conv/kernel"),
        (infinite, "NaN or infinity"),
    ],
)
def test_a_file_that_does_not_fit_changes_nothing(tmp_path, edit, message):
    path = tmp_path / "a.weights.h5"
    model(seed=1).save_weights(path)
    with h5py.File(path, "r+") as file:
        edit(file, file)
    target = model(seed=2)
    before = values(target)
    with pytest.raises(ValueError, match=message):
        load_weights(target, path)
    assert_equal(before, target)


def test_flipped_bits_are_refused_and_the_model_stays(archive):
    good = archive.read_bytes()
    target, random = model(seed=2), np.random.default_rng(0)
    before = values(target)
    for _ in range(200):
        position, bit = int(random.integers(len(good))), int(random.integers(8))
        bad = bytearray(good)
        bad[position] ^= 1 << bit
        archive.write_bytes(bad)
        with pytest.raises(ValueError, match="."):
            load_weights(target, archive)
    assert_equal(before, target)


@pytest.mark.backend
def test_an_interrupted_assignment_is_undone(archive, monkeypatch):
    target = model(seed=2)
    before = values(target)
    last = list(tree(target).values())[-1]
    assign, calls = type(last).assign, []

    def failing(self, value):
        calls.append(self)
        if self is last and len(calls) <= len(before):
            raise MemoryError("simulated")
        return assign(self, value)

    monkeypatch.setattr(type(last), "assign", failing)
    with pytest.raises(MemoryError):
        load_weights(target, archive)
    monkeypatch.undo()
    assert len(calls) > len(before)
    assert_equal(before, target)


def test_infinite_only_in_half_precision_is_refused(tmp_path):
    source = model(seed=1)
    tree(source)["stage1_block0_conv/kernel"].assign(np.full((3, 3, 3, 8), 1e6))
    save_weights(source, tmp_path / "a.safetensors")
    keras.config.set_dtype_policy("float16")
    target = registry.build_classifier(ROW)
    assert tree(target)["stage1_block0_conv/kernel"].dtype == "float16"
    with pytest.raises(ValueError, match="NaN or infinity"):
        load_weights(target, tmp_path / "a.safetensors")


def test_other_constants_are_refused_with_the_cure(archive):
    target = model(mean=(0.0, 0.0, 0.0), std=(255.0,) * 3)
    before = values(target)
    with pytest.raises(ValueError, match=r"normalised with mean.*build it with zoo.classifier\(..., weights=PATH\)"):
        load_weights(target, archive)
    assert_equal(before, target)


def test_weights_of_another_row_are_refused_even_when_all_tensors_fit(tmp_path):
    row, other = "resnet_bottleneck_micro", "resnet_v1_micro"
    save_weights(registry.build_classifier(row), tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match=f"weights of {row}, not of {other}"):
        zoo.classifier(other, weights=tmp_path / "a.safetensors")


def test_gray_images_score_as_their_rgb_copies(archive):
    gray = np.random.default_rng(0).uniform(0, 255, (2, 32, 32, 1)).astype("float32")
    one, three = (zoo.classifier(ROW, weights=archive, input_shape=(32, 32, c)) for c in (1, 3))
    np.testing.assert_allclose(one(gray), three(np.repeat(gray, 3, -1)), rtol=1e-6)


@pytest.mark.parametrize(
    ("weights", "error", "message"),
    [
        ("imagenet", ValueError, "no published weights 'imagenet'; it has none; train it"),
        ("./none.h5", FileNotFoundError, "no weight file"),
        ("hf://keras/vgg", ValueError, "is an address"),
        ("https://example.com/a.h5", ValueError, "is an address"),
        ("", ValueError, "None, a tag"),
        (True, ValueError, "None, a tag"),
    ],
)
def test_impossible_weights_say_what_is_possible(weights, error, message):
    with pytest.raises(error, match=message):
        find(ROW, weights)


def test_an_unknown_model_is_told_even_when_weights_are_asked_for():
    """Not "resnet5 has no published weights": the name is what is wrong."""
    for build in (zoo.classifier, zoo.backbone):
        for weights in (None, "imagenet", "./mine.safetensors"):
            with pytest.raises(ValueError, match=r"no model called 'resnet5'; did you mean .*resnet50"):
                build("resnet5", weights=weights)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lambda good: good[: len(good) // 2], r"mine\.safetensors.*damaged"),
        (lambda good: pickle.dumps({"stage1_block0_conv/kernel": 1}), "is a pickle, which can run any code.*accepted are"),
        (lambda good: b"<html>sign in</html>", "is a web page"),
    ],
    ids=["truncated", "pickle", "page"],
)
def test_a_file_that_is_no_weight_file_is_refused_at_the_front_door(archive, tmp_path, content, message):
    path = tmp_path / "mine.safetensors"
    path.write_bytes(content(archive.read_bytes()))
    with pytest.raises(ValueError, match=message):
        zoo.classifier(ROW, weights=path)


def test_a_published_file_with_the_wrong_hash_is_refused(monkeypatch, tmp_path):
    source = find("resnet50_v1", "imagenet")
    record = source.record
    file = tmp_path / "mirror" / record.url.removeprefix("https://")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"not the published file")
    monkeypatch.setenv("ZOO_MIRROR", str(tmp_path / "mirror"))
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path / "cache"))
    with pytest.raises(OSError, match=f"is not the file that .* publishes: expected {record.digest}.*correct the mirror"):
        fill(model(), source)


def test_tags_name_records():
    assert find(ROW, None) is None
    full, bare = find("vgg16", "imagenet"), find("vgg16", "imagenet", top=False)
    assert (full.classes, bare.classes, full.record.top, bare.record.top) == (1000, None, True, False)
    assert full.mean == (123.68, 116.779, 103.939)
    with pytest.raises(ValueError, match="its tags are imagenet"):
        find("vgg16", "imagenet21k")


def test_a_file_named_like_a_tag_does_not_shadow_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "imagenet").write_bytes(b"x")
    assert find("vgg16", "imagenet").record is not None


def test_save_refuses_other_suffixes_and_empty_models(tmp_path):
    with pytest.raises(ValueError, match="end in .safetensors"):
        save_weights(model(), tmp_path / "a.h5")
    image = keras.Input((2,))
    with pytest.raises(ValueError, match="no weights to save"):
        save_weights(keras.Model(image, layers.ReLU()(image)), tmp_path / "a.safetensors")


def test_foreign_names_need_a_row(tmp_path):
    save_file({"conv1.weight": np.zeros((2, 3, 7, 7), "float32")}, tmp_path / "a.safetensors")
    with pytest.raises(ValueError, match="variant='resnet50'"):
        load_weights(model(model_name="mine"), tmp_path / "a.safetensors")


def test_fill_reports_the_record_it_could_not_fetch(monkeypatch, tmp_path):
    monkeypatch.setenv("ZOO_OFFLINE", "1")
    monkeypatch.setenv("ZOO_CACHE", str(tmp_path))
    monkeypatch.delenv("ZOO_MIRROR", raising=False)
    with pytest.raises(OSError, match="resnet50_weights_tf_dim_ordering_tf_kernels.h5"):
        fill(model(), find("resnet50_v1", "imagenet"))
