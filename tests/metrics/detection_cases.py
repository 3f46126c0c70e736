"""Random truth and detections that hold every difficulty of the COCO metric, and pycocotools' answer to them."""

from __future__ import annotations

import contextlib
import io
from types import SimpleNamespace

import numpy as np

from zoo.metrics import Truth

SIDE = 200


def some_boxes(rng, n: int, small: float = 4, large: float = 150, whole: bool = False) -> np.ndarray:
    """Boxes (n, 4) xyxy inside SIDE pixels; `whole`: on whole pixels, so that overlaps and areas hit the thresholds exactly."""
    size = np.exp(rng.uniform(np.log(small), np.log(large), (n, 2)))
    corner = rng.uniform(0, SIDE - size)
    boxes = np.concatenate([corner, corner + size], axis=1)
    return np.rint(boxes) if whole else boxes.astype("float32").astype("float64")


def some_case(seed: int, images: int = 12, classes: int = 3, most: int = 8, crowds: float = 0.15, ties: bool = False, whole: bool = False):
    """(truths, detections): jittered copies, copies of another class, duplicates, and boxes anywhere; some images and classes are empty."""
    rng = np.random.default_rng(seed)
    truths, found = [], []
    for _ in range(images):
        n = int(rng.integers(0, most + 1)) * int(rng.random() < 0.85)
        boxes, labels = some_boxes(rng, n, whole=whole), rng.integers(0, classes, n)
        area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) * rng.choice([1.0, 0.6], n)
        truths.append(Truth(boxes, labels, rng.random(n) < crowds, area))
        copies = np.repeat(np.arange(n), rng.integers(0, 4, n))
        jitter = rng.normal(0, rng.choice([0.5, 3, 12]), (len(copies), 4))
        moved = boxes[copies] + (np.rint(jitter) if whole else jitter)
        moved[:, 2:] = np.maximum(moved[:, 2:], moved[:, :2] + 1)
        other = some_boxes(rng, int(rng.integers(0, 5)), whole=whole)
        wrong = np.where(rng.random(len(copies)) < 0.2, rng.integers(0, classes, len(copies)), labels[copies])
        boxes = np.concatenate([moved, other])
        scores = rng.random(len(boxes))
        given = np.concatenate([wrong, rng.integers(0, classes, len(other))])
        order = rng.permutation(len(boxes)) if rng.random() < 0.85 else np.zeros(0, int)
        scores = np.round(scores, 1) if ties else scores
        found.append(SimpleNamespace(boxes=boxes[order], scores=scores[order], classes=given[order]))
    return truths, found


def xywh(box) -> list[float]:
    return [float(box[0]), float(box[1]), float(box[2] - box[0]), float(box[3] - box[1])]


def pycocotools(truths, detections, classes: int, kind: str = "bbox", first_id: int = 1):
    """pycocotools' COCOeval after summarize(); kind: bbox, segm or keypoints."""
    from pycocotools import mask
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    encode = lambda picture: mask.encode(np.asfortranarray(np.asarray(picture, np.uint8)))  # noqa: E731
    annotations, results = [], []
    for image, (truth, found) in enumerate(zip(truths, detections, strict=True)):
        for n, (box, label) in enumerate(zip(truth.boxes, truth.classes, strict=True)):
            crowd = bool(truth.crowd is not None and truth.crowd[n])
            area = float(np.prod(box[2:] - box[:2]) if truth.area is None else truth.area[n])
            row = {"id": first_id + len(annotations), "image_id": image, "category_id": int(label), "iscrowd": int(crowd)}
            row |= {"bbox": xywh(box), "area": area}
            if kind == "segm":
                row["segmentation"] = encode(truth.masks[n])
            if kind == "keypoints":
                row |= {"keypoints": truth.keypoints[n].ravel().tolist(), "num_keypoints": int((truth.keypoints[n][:, 2] > 0).sum())}
            annotations.append(row)
        for n, (score, label) in enumerate(zip(found.scores, found.classes, strict=True)):
            row = {"image_id": image, "category_id": int(label), "score": float(score)}
            if kind == "bbox":
                row["bbox"] = xywh(found.boxes[n])
            if kind == "segm":
                row["segmentation"] = encode(found.masks[n])
            if kind == "keypoints":
                row["keypoints"] = found.keypoints[n].ravel().tolist()
            results.append(row)
    with contextlib.redirect_stdout(io.StringIO()):
        data = COCO()
        images = [{"id": image, "width": SIDE, "height": SIDE} for image in range(len(truths))]
        data.dataset = {"info": {}, "images": images, "annotations": annotations, "categories": [{"id": k} for k in range(classes)]}
        data.createIndex()
        judged = COCOeval(data, data.loadRes(results), kind)
        judged.evaluate()
        judged.accumulate()
        judged.summarize()
    return judged
