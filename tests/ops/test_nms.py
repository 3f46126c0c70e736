"""Non-maximum suppression against TensorFlow's own, the rule that torchvision states, and brute force from the papers."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.ops.generators import CASES, compiled, suppression
from zoo.ops.nms import METHODS, nms
from zoo.ops.ranking import stable_top_k

SEEDS = range(20 if keras.backend.backend() == "tensorflow" else 5)


def _iou(a, b):
    """One pair, in float32 and in the order of the definition, so that ties with the threshold fall alike."""
    width = max(np.float32(0), min(a[2], b[2]) - max(a[0], b[0]))
    height = max(np.float32(0), min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union if union > 0 else np.float32(0)


def _centre_term(a, b):
    """(distance of the centres / diagonal of the enclosing box)^2."""
    across, down = max(a[2], b[2]) - min(a[0], b[0]), max(a[3], b[3]) - min(a[1], b[1])
    apart = ((a[0] + a[2] - b[0] - b[2]) ** 2 + (a[1] + a[3] - b[1] - b[3]) ** 2) / 4
    return apart / (across**2 + down**2) if across or down else 0.0


def _greedy(boxes, scores, threshold, score_threshold, most, overlap=_iou, classes=None, suppressed_suppress=False):
    """torchvision's rule: by falling score (stable), a box goes if its overlap with a kept one is > threshold."""
    kept, seen = [], []
    for j in np.argsort(-scores, kind="stable"):
        if not scores[j] > score_threshold:
            break
        rivals = [i for i in (seen if suppressed_suppress else kept) if classes is None or classes[i] == classes[j]]
        if not any(overlap(boxes[i], boxes[j]) > threshold for i in rivals):
            kept.append(j)
        seen.append(j)
    return kept[:most]


def _ours(boxes, scores, *rest, **options):
    """Of one image: indices and scores without padding."""
    batch = [x[None] for x in (boxes, scores, *rest)]
    indices, scores, count = (ops.convert_to_numpy(x)[0] for x in nms(*batch, **options))
    assert (indices[count:] == -1).all()
    assert (scores[count:] == 0).all()
    assert indices.shape == scores.shape == (options.get("most", 100),)
    return indices[:count].tolist(), scores[:count]


@pytest.mark.backend
@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_rule_of_torchvision(case):
    """One compiled program for all seeds of a case: a batch of them."""
    batch = [suppression(case, seed) for seed in SEEDS]
    boxes, scores = (ops.convert_to_tensor(np.stack([each[i] for each in batch])) for i in (0, 1))
    options = batch[0][2]
    indices, _, count = (ops.convert_to_numpy(x) for x in compiled(lambda b, s: nms(b, s, **options))(boxes, scores))
    greedy = {name: value for name, value in options.items() if name != "pre"}
    for seed, (boxes, scores, _) in enumerate(batch):
        if "pre" in options:  # the rule sees the best P only
            scores = np.where(np.argsort(np.argsort(-scores, kind="stable")) < options["pre"], scores, -1)
        assert indices[seed, : count[seed]].tolist() == _greedy(boxes, scores, **greedy), (case, seed)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow's operator is the oracle")
@pytest.mark.parametrize("case", [case for case in CASES if case != "P < N"])
def test_equal_to_tensorflow(case):
    import tensorflow as tf

    batch = [suppression(case, seed) for seed in range(60)]
    options = batch[0][2]
    indices, _, count = (x.numpy() for x in nms(*(np.stack([each[i] for each in batch]) for i in (0, 1)), **options))
    for seed, (boxes, scores, _) in enumerate(batch):
        wanted = tf.image.non_max_suppression(boxes, scores, options["most"], options["threshold"], options["score_threshold"])
        assert indices[seed, : count[seed]].tolist() == wanted.numpy().tolist(), (case, seed)


@pytest.mark.backend
def test_a_chain_takes_as_many_rounds_as_it_has_boxes():
    """Each box overlaps only its neighbours: every second one stays, which no fixed number of rounds finds."""
    left = 4.0 * np.arange(150, dtype="float32")
    boxes = np.stack([left, 0 * left, left + 10, 0 * left + 10], axis=-1)
    kept, _ = _ours(boxes, np.linspace(1, 0.5, 150, dtype="float32"), threshold=0.3, most=150)
    assert kept == list(range(0, 150, 2))


@pytest.mark.backend
def test_one_box_and_none():
    box = np.array([[1, 2, 3, 4]], "float32")
    assert _ours(box, np.array([0.9], "float32"))[0] == [0]
    assert _ours(box, np.array([0.05], "float32"))[0] == []  # scores must exceed the threshold
    assert _ours(box, np.array([np.nan], "float32"))[0] == []


@pytest.mark.backend
def test_classes_do_not_suppress_each_other():
    for seed in range(5):
        boxes, scores, options = suppression("clustered", seed)
        classes = np.random.default_rng(seed).integers(0, 3, len(boxes))
        kept, _ = _ours(boxes, scores, classes, **options)
        assert kept == _greedy(boxes, scores, **options, classes=classes)
        together = sorted(i for c in range(3) for i in _each_class_alone(boxes, scores, classes, c, options))
        assert sorted(_ours(boxes, scores, classes, **{**options, "most": len(boxes)})[0]) == together
        assert _ours(boxes, scores, classes.astype("float32"), **options)[0] == kept


def _each_class_alone(boxes, scores, classes, c, options):
    rows = np.flatnonzero(classes == c)
    return rows[_ours(boxes[rows], scores[rows], **{**options, "most": len(boxes)})[0]]


@pytest.mark.backend
def test_many_classes_in_float16_where_moving_classes_apart_fails():
    rng = np.random.default_rng(0)
    corner = np.tile(rng.integers(0, 600, (30, 2)), (2, 1))  # two predictions of each object
    boxes = np.concatenate([corner, corner + 30], axis=-1).astype("float16")
    scores, classes = rng.permutation(60).astype("float16") / 64 + np.float16(0.05), np.tile(rng.integers(0, 1203, 30), 2)
    wide = boxes.astype("float32")
    wanted = _greedy(wide, scores.astype("float32"), 0.5, 0.04, 60, classes=classes)
    options = {"threshold": 0.5, "score_threshold": 0.04, "most": 60}
    assert len(wanted) == 30
    assert _ours(boxes, scores, classes, **options)[0] == wanted
    with np.errstate(over="ignore"):
        moved = boxes + (classes[:, None] * np.float16(640)).astype("float16")  # most of them beyond the largest float16
    with np.errstate(invalid="ignore"):
        assert _greedy(moved, scores, 0.5, 0.04, 60) != wanted


@pytest.mark.backend
@pytest.mark.parametrize("method", ["fast", "diou"])
def test_fast_and_diou_by_brute_force(method):
    for seed in range(5):
        boxes, scores, options = suppression("clustered", seed)
        classes = np.random.default_rng(seed).integers(0, 2, len(boxes))
        if method == "fast":
            wanted = _greedy(boxes, scores, **options, classes=classes, suppressed_suppress=True)
        else:
            wanted = _greedy(boxes, scores, **options, classes=classes, overlap=lambda a, b: _iou(a, b) - _centre_term(a, b))
        assert _ours(boxes, scores, classes, **options, method=method)[0] == wanted


def _soft(boxes, scores, classes, most, score_threshold, sigma):
    left, picked = dict(enumerate(scores.astype("float64"))), []
    while left and len(picked) < most:
        best = max(left, key=lambda i: (left[i], -i))
        if not left[best] > score_threshold:
            break
        picked.append((best, left.pop(best)))
        left = {i: s * np.exp(-((classes[i] == classes[best]) * float(_iou(boxes[best], boxes[i])) ** 2) / sigma) for i, s in left.items()}
    return picked


def _matrix(boxes, scores, classes, most, score_threshold, sigma):
    order = [i for i in np.argsort(-scores, kind="stable") if scores[i] > score_threshold]
    lowered, worst = [], []
    for place, j in enumerate(order):
        ious = [float(_iou(boxes[i], boxes[j])) if classes[i] == classes[j] else 0.0 for i in order[:place]]
        decays = [np.exp(-(u**2)) / np.exp(-(worst[i] ** 2)) for i, u in enumerate(ious) if classes[order[i]] == classes[j]]
        worst.append(max(ious, default=0.0))
        lowered.append((j, scores[j] * min([1.0, *decays]) ** (1 / sigma)))
    return [each for each in sorted(lowered, key=lambda each: -each[1]) if each[1] > score_threshold][:most]


@pytest.mark.backend
@pytest.mark.parametrize(("method", "oracle"), [("soft", _soft), ("matrix", _matrix)])
@pytest.mark.parametrize("sigma", [0.5, 0.1])
def test_soft_and_matrix_by_brute_force(method, oracle, sigma):
    for seed in range(4):
        boxes, scores, _ = suppression("clustered", seed)
        classes = np.random.default_rng(seed).integers(0, 2, len(boxes))
        wanted = oracle(boxes, scores, classes, 12, 0.3, sigma)
        kept, lowered = _ours(boxes, scores, classes, most=12, score_threshold=0.3, method=method, sigma=sigma)
        assert kept == [i for i, _ in wanted]
        np.testing.assert_allclose(lowered, [score for _, score in wanted], rtol=1e-5)


@pytest.mark.backend
def test_two_boxes_in_closed_form():
    boxes, scores = np.array([[0, 0, 2, 1], [1, 0, 3, 1]], "float32"), np.array([0.9, 0.8], "float32")  # IoU 1/3
    for method in ("soft", "matrix"):
        np.testing.assert_allclose(_ours(boxes, scores, method=method, sigma=0.5)[1], [0.9, 0.8 * np.exp(-2 / 9)], rtol=1e-6)
    assert _ours(boxes, scores, threshold=0.3)[0] == [0]
    assert _ours(boxes, scores, threshold=0.3, method="diou")[0] == [0, 1]  # 1/3 - 1/10


@pytest.mark.backend
@pytest.mark.parametrize("method", METHODS)
def test_compiled_for_two_shapes_and_inside_a_model_of_any_batch(method):
    class Suppress(keras.Layer):
        def call(self, boxes, scores):
            return nms(boxes, scores, method=method, most=7)

    program = compiled(lambda b, s: nms(b, s, method=method, most=7))
    for n in (5, 40):
        batch = [suppression("clustered", seed) for seed in range(2)]
        boxes, scores = (ops.convert_to_tensor(np.stack([each[i][:n] for each in batch])) for i in (0, 1))
        inputs = keras.Input((n, 4)), keras.Input((n,))
        model = keras.Model(inputs, Suppress()(*inputs))
        assert model.output_shape[0] == (None, 7)
        wanted = nms(boxes, scores, method=method, most=7)
        for got in (program(boxes, scores), model([boxes, scores])):
            for ours, theirs in zip(got, wanted, strict=True):
                np.testing.assert_allclose(ops.convert_to_numpy(ours), ops.convert_to_numpy(theirs), rtol=1e-6)


@pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter is deprecated:UserWarning")  # moving to a package of its own
@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="TensorFlow writes and runs LiteRT files")
@pytest.mark.parametrize("method", METHODS)
def test_litert_with_built_in_operators_only(method):
    import tensorflow as tf

    boxes, scores, _ = suppression("clustered", 3)
    signature = [tf.TensorSpec((1, *boxes.shape), "float32"), tf.TensorSpec((1, *scores.shape), "float32")]
    function = tf.function(lambda b, s: nms(b, s, method=method, most=20, pre=30), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    interpreter = tf.lite.Interpreter(model_content=converter.convert())
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], (boxes if len(detail["shape"]) == 3 else scores)[None])
    interpreter.invoke()
    got = [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    assert len(got) == 3
    for wanted in function(boxes[None], scores[None]):
        same = [x for x in got if x.dtype == wanted.dtype.as_numpy_dtype and x.shape == wanted.shape]
        np.testing.assert_allclose(same[0], wanted, rtol=1e-5)


@pytest.mark.backend
def test_of_equal_numbers_the_first_wins():
    values, indices = stable_top_k(ops.convert_to_tensor(np.tile(np.float32([1, 3, 3, 2]), (2, 1000))), 1500)
    wanted = [4 * i + j for i in range(1000) for j in (1, 2)][:1500]
    assert ops.convert_to_numpy(indices).tolist() == [wanted, wanted]
    wanted = np.concatenate([np.tile(np.float32([1, 3, 3, 2]), 1000)[wanted]])
    assert (ops.convert_to_numpy(values) == wanted).all()


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((np.zeros((2, 4)), np.zeros(2)), {}, r"boxes \(b, n, 4\) and scores \(b, n\)"),
        ((np.zeros((1, 2, 4)), np.zeros((1, 3))), {}, "one known number n >= 1 of boxes and scores, got 2 and 3"),
        ((np.zeros((1, 0, 4)), np.zeros((1, 0))), {}, "n >= 1"),
        ((np.zeros((1, 2, 5)), np.zeros((1, 2))), {}, "4 numbers"),
        ((np.zeros((1, 2, 4)), np.zeros((1, 2))), {"method": "greedy"}, "one of exact, fast.*got 'greedy'"),
        ((np.zeros((1, 2, 4)), np.zeros((1, 2))), {"most": 0}, "got 0 and 1000"),
        ((np.zeros((1, 2, 4)), np.zeros((1, 2))), {"method": "soft", "sigma": 0}, "sigma .* above 0.* got 0"),
    ],
)
def test_bad_input_is_told(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        nms(*arguments, **options)
