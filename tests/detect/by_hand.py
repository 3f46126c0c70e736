"""The losses of the YOLO family once more, in numpy float64, with loops, from their definitions alone: slow, and easy to check by eye.

Truths of an image: list of (box xyxy, class). Outputs: arrays of one image, anchors in the order of the levels, rows, columns, shapes.
Every function returns sums per image, or (numerators, denominators) where the denominator is of the batch.
"""

import math

import numpy as np


def bce(target, logit):
    return -target * -np.logaddexp(0, -logit) - (1 - target) * -np.logaddexp(0, logit)


def iou(a, b):
    across, down = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    shared = max(across, 0.0) * max(down, 0.0)
    whole = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared
    return shared / whole


def ciou(a, b):
    overlap = iou(a, b)
    diagonal = (max(a[2], b[2]) - min(a[0], b[0])) ** 2 + (max(a[3], b[3]) - min(a[1], b[1])) ** 2
    apart = ((a[0] + a[2] - b[0] - b[2]) / 2) ** 2 + ((a[1] + a[3] - b[1] - b[3]) / 2) ** 2
    angle = [math.atan((box[2] - box[0]) / (box[3] - box[1])) for box in (a, b)]
    v = 4 / math.pi**2 * (angle[0] - angle[1]) ** 2
    return overlap - apart / diagonal - v * v / (1 - overlap + v)


def places(size, strides, anchors):
    """[(level, row, column, shape)] in the order of the outputs."""
    found = []
    for level, stride in enumerate(strides):
        for row in range(-(-size[0] // stride)):
            for column in range(-(-size[1] // stride)):
                found += [(level, row, column, shape) for shape in anchors[level]]
    return found


def yolov3(truths, raw, boxes, size, strides, anchors, ignore=0.7):
    """{"box", "objectness", "class"} of one image."""
    where = places(size, strides, anchors)
    owner = {}
    for box, kind in truths:
        w, h = box[2] - box[0], box[3] - box[1]
        shapes = [(level, shape) for level in range(len(strides)) for shape in anchors[level]]
        level, best = max(shapes, key=lambda pair: iou((0, 0, w, h), (0, 0, *pair[1])))
        column, row = int((box[0] + box[2]) / 2 / strides[level]), int((box[1] + box[3]) / 2 / strides[level])
        owner[where.index((level, row, column, best))] = (box, kind)
    sums = {"box": 0.0, "objectness": 0.0, "class": 0.0}
    for index, (level, row, column, shape) in enumerate(where):
        if index not in owner:
            if max([iou(boxes[index], box) for box, _ in truths], default=0.0) <= ignore:
                sums["objectness"] += bce(0.0, raw[index, 4])
            continue
        box, kind = owner[index]
        w, h = box[2] - box[0], box[3] - box[1]
        x, y = (box[0] + box[2]) / 2 / strides[level] - column, (box[1] + box[3]) / 2 / strides[level] - row
        near = bce(x, raw[index, 0]) + bce(y, raw[index, 1])
        near += 0.5 * (math.log(w / shape[0]) - raw[index, 2]) ** 2 + 0.5 * (math.log(h / shape[1]) - raw[index, 3]) ** 2
        sums["box"] += (2 - w * h / size[0] / size[1]) * near
        sums["objectness"] += bce(1.0, raw[index, 4])
        sums["class"] += sum(bce(float(c == kind), logit) for c, logit in enumerate(raw[index, 5:]))
    return sums


def yolov5(batch, size, strides, anchors, classes, ratio=4.0, balance=(4.0, 1.0, 0.4)):
    """batch: [(truths, raw, boxes)] -> {"box", "objectness", "class"} of the whole batch, weighted."""
    where = places(size, strides, anchors)
    sums = {"box": 0.0, "objectness": 0.0, "class": 0.0}
    for level, stride in enumerate(strides):
        far, named, sure = [], [], []
        for truths, raw, boxes in batch:
            for index, (own, row, column, shape) in enumerate(where):
                if own != level:
                    continue
                claims = []
                for box, kind in truths:
                    factors = [(box[2] - box[0]) / shape[0], (box[3] - box[1]) / shape[1]]
                    worst = max(max(r, 1 / r) for r in factors)
                    if worst < ratio and _is_near((box[0] + box[2]) / 2 / stride, (box[1] + box[3]) / 2 / stride, column, row):
                        claims.append((worst, box, kind))
                target = 0.0
                if claims:
                    _, box, kind = min(claims, key=lambda claim: claim[0])
                    fit = ciou(boxes[index], box)
                    target = max(fit, 0.0)
                    far.append(1 - fit)
                    named.append(np.mean([bce(float(c == kind), logit) for c, logit in enumerate(raw[index, 5:])]))
                sure.append(bce(target, raw[index, 4]))
        sums["box"] += np.mean(far) if far else 0.0
        sums["class"] += np.mean(named) if named else 0.0
        sums["objectness"] += balance[level] * np.mean(sure)
    images, pixels = len(batch), size[0] * size[1] / 640**2
    return {
        "box": images * 0.05 * 3 / len(strides) * sums["box"],
        "objectness": images * 3 / len(strides) * pixels * sums["objectness"],
        "class": images * 0.5 * classes / 80 * 3 / len(strides) * sums["class"],
    }


def _is_near(x, y, column, row):
    """The cell of the centre; left or right of it, and above or below, whichever the centre leans to."""
    home = int(x), int(y)
    beside = (home[0] + (1 if x - home[0] > 0.5 else -1), home[1])
    above = (home[0], home[1] + (1 if y - home[1] > 0.5 else -1))
    return (column, row) in (home, beside, above)


def yolov8(batch, size, strides, bins, topk=10, alpha=0.5, beta=6.0):
    """batch: [(truths, score logits, distance logits, boxes)] -> {"box", "class", "distribution"} of the whole batch, weighted."""
    centres = [((c + 0.5) * s, (r + 0.5) * s, s) for s in strides for r in range(-(-size[0] // s)) for c in range(-(-size[1] // s))]
    sums, whole = {"box": 0.0, "class": 0.0, "distribution": 0.0}, 0.0
    for truths, scores, distances, boxes in batch:
        taken = {}  # point -> [(ciou, number of the truth, alignment)]
        for number, (box, kind) in enumerate(truths):
            found = []
            for index, (x, y, _) in enumerate(centres):
                if box[0] < x < box[2] and box[1] < y < box[3]:
                    fit = max(ciou(boxes[index], box), 0.0)
                    found.append(((1 / (1 + math.exp(-scores[index, kind]))) ** alpha * fit**beta, index, fit))
            for alignment, index, fit in sorted(found, key=lambda one: (-one[0], one[1]))[:topk]:
                taken.setdefault(index, []).append((fit, number, alignment))
        owned = {index: max(claims, key=lambda claim: claim[0]) for index, claims in taken.items()}
        for index, (x, y, stride) in enumerate(centres):
            target, kind = 0.0, None
            if index in owned:
                fit, number, alignment = owned[index]
                box, kind = truths[number]
                group = [claim for claim in owned.values() if claim[1] == number]
                most = max(claim[2] for claim in group)
                target = alignment / most * max(claim[0] for claim in group) if most else 0.0
                sums["box"] += target * (1 - ciou(boxes[index], box))
                sides = [x - box[0], y - box[1], box[2] - x, box[3] - y]
                sums["distribution"] += target * np.mean(
                    [_spread(side / stride, logits) for side, logits in zip(sides, distances[index].reshape(4, bins), strict=True)]
                )
            whole += target
            sums["class"] += sum(bce(target * (c == kind), logit) for c, logit in enumerate(scores[index]))
    return {name: weight * sums[name] / max(whole, 1.0) for name, weight in (("box", 7.5), ("class", 0.5), ("distribution", 1.5))}


def _spread(distance, logits):
    log_p = logits - np.log(np.exp(logits).sum())
    distance = min(distance, len(logits) - 1)
    below = min(int(distance), len(logits) - 2)
    return -(below + 1 - distance) * log_p[below] - (distance - below) * log_p[below + 1]
