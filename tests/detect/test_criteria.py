"""The four criteria: RetinaNet's against torchvision, the others against loops in numpy, all against what must not change them."""

import keras
import numpy as np
import pytest
from keras import ops

from tests.detect import by_hand
from tests.detect.torch_oracle import ask
from zoo import gradients
from zoo.detect.criteria import CRITERIA, RetinaNetLoss, YoloV3Loss, YoloV5Loss, YoloV8Loss
from zoo.ops import anchors as anchor_ops
from zoo.ops.boxes import decode

pytestmark = pytest.mark.backend

SIZE, CLASSES, STRIDES = (64, 96), 3, (8, 16, 32)
ANCHORS = (((6, 6), (9, 5), (5, 9)), ((12, 12), (18, 10), (10, 18)), ((24, 24), (36, 20), (20, 36)))
BOXES = np.array(
    [
        [[4, 6, 30, 25], [50, 10, 61, 22], [33.3, 30.2, 90, 63], [2, 40, 14, 49.5]],
        [[70, 5, 93, 40], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]],
    ],
    "float32",
)
KINDS = np.array([[0, 2, 1, 0], [2, -1, -1, -1], [-1, -1, -1, -1]], "int32")
TRUTH = {"boxes": BOXES, "classes": KINDS}
SMALL = tuple((6.0 * 2**level, 8.0 * 2**level, 10.0 * 2**level) for level in range(3))


def truths(image):
    return [(box.astype("float64"), int(kind)) for box, kind in zip(BOXES[image], KINDS[image], strict=True) if kind >= 0]


def _near(rng, shape):
    """Boxes that overlap the truths more or less: truths of the image, shaken."""
    images, count = shape
    pick = rng.integers(0, 4, (images, count))
    base = np.where(
        KINDS[:, :1, None] >= 0, np.take_along_axis(np.where(KINDS[..., None] >= 0, BOXES, BOXES[:, :1]), pick[..., None], 1), 20
    )
    boxes = base + rng.normal(0, 3, (images, count, 4))
    low, high = boxes[..., :2], boxes[..., 2:]
    return np.concatenate([low, np.maximum(high, low + 2)], axis=-1).astype("float32")


def case(kind, seed=0):
    """(criterion, outputs): random logits, and boxes near the truths."""
    rng = np.random.default_rng(seed)
    shared = {"size": SIZE, "classes": CLASSES, "strides": STRIDES}
    if kind == "retinanet":
        criterion = RetinaNetLoss(**shared, sizes=SMALL)
        anchors = anchor_ops.retinanet(*SIZE, STRIDES, SMALL)
        deltas = rng.normal(0, 0.3, (3, len(anchors), 4)).astype("float32")
        return criterion, {
            "scores": _logits(rng, len(anchors), CLASSES),
            "deltas": deltas,
            "boxes": ops.convert_to_numpy(decode(deltas, anchors)),
        }
    if kind == "yolov8":
        points, _ = anchor_ops.points(*SIZE, STRIDES)
        outputs = {
            "scores": _logits(rng, len(points), CLASSES),
            "distances": _logits(rng, len(points), 32),
            "boxes": _near(rng, (3, len(points))),
        }
        return YoloV8Loss(**shared, bins=8), outputs
    count = len(anchor_ops.grid(*SIZE, STRIDES, ANCHORS)[0])
    outputs = {"raw": _logits(rng, count, 5 + CLASSES), "boxes": _near(rng, (3, count))}
    return CRITERIA[kind](**shared, anchors=ANCHORS), outputs


def _logits(rng, count, last):
    return rng.normal(-1, 1.5, (3, count, last)).astype("float32")


def value(criterion, truth, outputs):
    total, parts = criterion(truth, {name: ops.convert_to_tensor(output) for name, output in outputs.items()})
    parts = {name: float(ops.convert_to_numpy(part)) for name, part in parts.items()}
    assert tuple(parts) == criterion.parts
    assert float(ops.convert_to_numpy(total)) == pytest.approx(sum(parts.values()), rel=1e-5)
    return parts


def slopes(criterion, truth, outputs):
    run = gradients.value_and_grad(lambda given: criterion(truth, given)[0])
    (total, _), slope = run({name: ops.convert_to_tensor(output) for name, output in outputs.items()})
    assert np.isfinite(float(ops.convert_to_numpy(total)))
    return {name: ops.convert_to_numpy(each) for name, each in slope.items()}


@pytest.mark.parametrize(("box", "beta", "theirs"), [("smooth_l1", 0.0, "l1"), ("smooth_l1", 1.0, "smooth_l1"), ("giou", 0.0, "giou")])
def test_retinanet_equals_torchvision_with_its_gradients(retinanet_reference, box, beta, theirs):
    outputs, anchors, wanted = retinanet_reference
    criterion = RetinaNetLoss(size=SIZE, classes=CLASSES, strides=STRIDES, sizes=SMALL, rounded=True, box=box, beta=beta)

    def loss(given):
        return criterion(TRUTH, {**given, "boxes": decode(given["deltas"], anchors)})

    parts = {name: float(ops.convert_to_numpy(part)) for name, part in loss(outputs)[1].items()}
    assert parts["class"] == pytest.approx(float(wanted[f"{theirs}_class"]), rel=1e-5)
    assert parts["box"] == pytest.approx(float(wanted[f"{theirs}_box"]), rel=1e-5)
    _, slope = gradients.value_and_grad(lambda given: loss(given)[0])(outputs)
    np.testing.assert_allclose(ops.convert_to_numpy(slope["scores"]), wanted[f"{theirs}_logits_gradient"], rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(ops.convert_to_numpy(slope["deltas"]), wanted[f"{theirs}_deltas_gradient"], rtol=1e-4, atol=1e-6)


@pytest.fixture(scope="module")
def retinanet_reference(tmp_path_factory):
    anchors = anchor_ops.retinanet(*SIZE, STRIDES, SMALL, rounded=True)
    _, outputs = case("retinanet")
    given = {"logits": outputs["scores"], "deltas": outputs["deltas"], "boxes": BOXES, "classes": KINDS.astype("int64")}
    wanted = ask(tmp_path_factory.mktemp("torch"), anchors=anchors, **given)
    return {"scores": outputs["scores"], "deltas": outputs["deltas"]}, anchors, wanted


@pytest.mark.parametrize("seed", [0, 1])
def test_yolov3_equals_loops(seed):
    criterion, outputs = case("yolov3", seed)
    images = [
        by_hand.yolov3(
            truths(image), outputs["raw"][image].astype("float64"), outputs["boxes"][image].astype("float64"), SIZE, STRIDES, ANCHORS
        )
        for image in range(3)
    ]
    found = value(criterion, TRUTH, outputs)
    for name, part in found.items():
        assert part == pytest.approx(np.mean([image[name] for image in images]), rel=1e-5), name


@pytest.mark.parametrize("seed", [0, 1])
def test_yolov5_style_equals_loops(seed):
    criterion, outputs = case("yolov5", seed)
    batch = [(truths(i), outputs["raw"][i].astype("float64"), outputs["boxes"][i].astype("float64")) for i in range(3)]
    wanted = by_hand.yolov5(batch, SIZE, STRIDES, ANCHORS, CLASSES)
    for name, part in value(criterion, TRUTH, outputs).items():
        assert part == pytest.approx(wanted[name], rel=1e-5), name


@pytest.mark.parametrize("seed", [0, 1])
def test_yolov8_style_equals_loops(seed):
    criterion, outputs = case("yolov8", seed)
    batch = [(truths(i), *(outputs[name][i].astype("float64") for name in ("scores", "distances", "boxes"))) for i in range(3)]
    wanted = by_hand.yolov8(batch, SIZE, STRIDES, bins=8)
    for name, part in value(criterion, TRUTH, outputs).items():
        assert part == pytest.approx(wanted[name], rel=2e-5), name


@pytest.mark.parametrize("kind", CRITERIA)
def test_order_and_padding_of_the_truths_change_nothing(kind):
    criterion, outputs = case(kind)
    wanted = value(criterion, TRUTH, outputs)
    order = [2, 0, 3, 1]
    shuffled = {"boxes": BOXES[:, order], "classes": KINDS[:, order]}
    more = {
        "boxes": np.concatenate([BOXES, np.full((3, 3, 4), 1e4, "float32")], axis=1),
        "classes": np.concatenate([KINDS, np.full((3, 3), -1)], axis=1).astype("float32"),
    }
    for truth in (shuffled, more):
        assert value(criterion, truth, outputs) == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("kind", CRITERIA)
def test_gradients_are_finite_with_and_without_objects(kind):
    criterion, outputs = case(kind)
    for truth in (TRUTH, {"boxes": BOXES, "classes": np.full_like(KINDS, -1)}, {"boxes": BOXES[:, :1] * 0, "classes": KINDS[:, :1] * 0}):
        for name, slope in slopes(criterion, truth, outputs).items():
            assert np.isfinite(slope).all(), name


@pytest.mark.parametrize("kind", CRITERIA)
def test_an_image_without_objects_teaches_background_only(kind):
    """Every logit of a class or of objectness falls, and nothing pulls at a box."""
    criterion, outputs = case(kind)
    found = slopes(criterion, TRUTH, outputs)
    for name, slope in found.items():
        empty = slope[2]
        if name == "scores":
            assert (empty > 0).all()
        elif name == "raw":
            assert (empty[:, 4] > 0).all()
            assert not empty[:, [0, 1, 2, 3, *range(5, 5 + CLASSES)]].any()
        else:
            assert not empty.any(), name


def test_anchors_between_the_thresholds_learn_nothing():
    criterion, outputs = case("retinanet")
    overlap = by_hand_overlap(anchor_ops.retinanet(*SIZE, STRIDES, SMALL), 1)
    between = (overlap >= 0.4) & (overlap < 0.5) & (overlap < overlap.max())
    assert between.any()
    found = slopes(criterion, TRUTH, outputs)
    assert not found["scores"][1][between].any()
    assert not found["deltas"][1][between].any()
    assert found["scores"][1][overlap < 0.4].all()


def by_hand_overlap(anchors, image):
    return np.array([max(by_hand.iou(anchor, box) for box, _ in truths(image)) for anchor in anchors.astype("float64")])


def test_what_objectness_learns_is_constant_for_the_gradient():
    """Without its own loss a box is pulled by CIoU alone: 7 times the objectness weight changes no slope of a box."""
    criterion, outputs = case("yolov5")
    heavy = YoloV5Loss(**{**criterion.get_config(), "objectness_weight": 7.0})
    for other in (criterion, heavy):
        np.testing.assert_allclose(slopes(other, TRUTH, outputs)["boxes"], slopes(criterion, TRUTH, outputs)["boxes"], rtol=1e-6)


def test_the_gradient_of_yolov3_is_prediction_minus_truth_in_every_coordinate():
    """Section 2.1 of the paper; weighted by 2 minus the share of the image, over 3 images."""
    criterion, outputs = case("yolov3")
    slope = slopes(criterion, TRUTH, outputs)["raw"][1]
    box = BOXES[1, 0].astype("float64")
    index = int(np.abs(slope[:, :4]).sum(axis=1).argmax())
    level, row, column, shape = by_hand.places(SIZE, STRIDES, ANCHORS)[index]
    raw = outputs["raw"][1, index].astype("float64")
    sigmoid = 1 / (1 + np.exp(-raw[:2]))
    place = np.array([box[0] + box[2], box[1] + box[3]]) / 2 / STRIDES[level] - (column, row)
    size = np.log((box[2:] - box[:2]) / shape)
    share = np.prod(box[2:] - box[:2]) / np.prod(SIZE)
    np.testing.assert_allclose(slope[index, :4], (2 - share) / 3 * np.concatenate([sigmoid - place, raw[2:4] - size]), rtol=1e-4)


@pytest.mark.parametrize("kind", CRITERIA)
def test_half_precision_outputs_are_computed_in_float32(kind):
    criterion, outputs = case(kind)
    half = {name: ops.cast(output, "float16") for name, output in outputs.items()}
    total, parts = criterion(TRUTH, half)
    for each in (total, *parts.values()):
        assert keras.backend.standardize_dtype(each.dtype) == "float32"
    same = {name: ops.cast(output, "float32") for name, output in half.items()}
    assert float(ops.convert_to_numpy(total)) == pytest.approx(sum(value(criterion, TRUTH, same).values()), rel=1e-5)


@pytest.mark.parametrize("kind", CRITERIA)
def test_a_criterion_survives_json_and_is_compiled(kind):
    criterion, outputs = case(kind)
    again = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(criterion))
    assert again == criterion
    compiled = gradients.jit(lambda boxes, classes, given: again({"boxes": boxes, "classes": classes}, given)[0])
    total = compiled(
        ops.convert_to_tensor(BOXES), ops.convert_to_tensor(KINDS), {name: ops.convert_to_tensor(x) for name, x in outputs.items()}
    )
    assert float(ops.convert_to_numpy(total)) == pytest.approx(sum(value(criterion, TRUTH, outputs).values()), rel=1e-5)


@pytest.mark.parametrize("kind", CRITERIA)
def test_a_class_that_the_model_does_not_have_is_no_quiet_background(kind):
    criterion, outputs = case(kind)
    total, _ = criterion({"boxes": BOXES, "classes": KINDS + 1}, outputs)
    assert np.isnan(ops.convert_to_numpy(total))


@pytest.mark.parametrize("kind", CRITERIA)
def test_labels_without_a_place_are_refused(kind):
    criterion, outputs = case(kind)
    with pytest.raises(ValueError, match="at least one place per image, got none: pad with boxes of class -1"):
        criterion({"boxes": BOXES[:, :0], "classes": KINDS[:, :0]}, outputs)


def test_wrong_fields_are_refused():
    with pytest.raises(ValueError, match="box must be one of smooth_l1, giou, got 'l2'"):
        RetinaNetLoss(size=SIZE, classes=3, box="l2")
    with pytest.raises(ValueError, match="every level needs its balance"):
        YoloV5Loss(size=SIZE, classes=3, strides=(8, 16))
    with pytest.raises(ValueError, match="classes must be at least 1"):
        YoloV3Loss(size=SIZE, classes=0)
