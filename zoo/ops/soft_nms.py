"""Suppression that lowers scores instead of dropping boxes: Soft-NMS and Matrix-NMS, for `zoo.ops.nms.nms`."""

from __future__ import annotations

from keras import ops

from zoo.ops.ranking import stable_top_k


def soft_picks(scores, overlap, picks: int, sigma: float):
    """Soft-NMS (Bodla et al. 2017, arXiv:1704.04503, figure 2, with the Gaussian of equation 3).

    scores (b, p), -inf where there is no candidate; overlap (b, p, p), 0 between boxes that do not compete.
    -> scores at the time of the pick (b, picks), falling, and the places of the picked (b, picks) int32; -inf when nothing is left.

    Every pick lowers what is left by exp(-iou^2 / sigma), so that the next depends on it: a loop of `picks` steps.
    """
    places = ops.arange(scores.shape[1], dtype="int32")
    steps = ops.arange(picks, dtype="int32")

    def pick(step, left, found, chosen):
        score, best = stable_top_k(left, 1)  # (b, 1); LiteRT lacks an operator of Keras' argmax
        iou = ops.take_along_axis(overlap, best[:, :, None], axis=1)[:, 0]  # (b, p)
        left = left * ops.exp(-iou * iou / sigma)
        left = ops.where(places == best, -float("inf"), left)
        return step + 1, left, ops.where(steps == step, score, found), ops.where(steps == step, best, chosen)

    found = ops.zeros_like(scores[:, :picks])
    start = (ops.convert_to_tensor(0, "int32"), scores, found, ops.cast(found, "int32"))
    _, _, found, chosen = ops.while_loop(lambda step, *_: step < picks, pick, start, maximum_iterations=picks)
    return found, chosen


def matrix_scores(overlap, sigma: float):
    """Matrix-NMS (Wang et al. 2020, arXiv:2003.10152, equations 3 to 5): what the scores are multiplied by, (b, p) in (0, 1].

    overlap (b, p, p): of the first box, of higher score, with the second; 0 where they do not compete.

    A suppressor that overlaps a better box by c is itself likely gone: it lowers by f(iou) / f(c), f(x) = exp(-x^2 / sigma).
    """
    gone = ops.max(overlap, axis=1)  # (b, p), of each as the second
    lowers = overlap * overlap - (gone * gone)[:, :, None]
    return ops.exp(-ops.maximum(ops.max(lowers, axis=1), 0.0) / sigma)
