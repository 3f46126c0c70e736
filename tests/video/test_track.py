"""The tracker against paths that are known, and its filter against the general formulas."""

from __future__ import annotations

import numpy as np
import pytest

from tests.video import bed
from zoo.video import Tracker, kalman

FRAMES = 50


def run(paths, frames=FRAMES, tracker=None, **how):
    tracker = tracker or Tracker()
    return [tracker.update(found) for found in bed.detected(paths, frames, **how)]


def found(*boxes, scores=None, classes=None) -> bed.Found:
    count = len(boxes)
    return bed.Found(
        np.array(boxes, float).reshape(-1, 4), np.array([0.9] * count if scores is None else scores), np.array(classes or [0] * count)
    )


def test_objects_apart_keep_their_numbers():
    tracked = run(bed.EASY)
    score, switches = bed.mota(bed.truth(bed.EASY, FRAMES), tracked)
    objects = sum(map(len, bed.truth(bed.EASY, FRAMES)))
    assert switches == 0
    assert score == pytest.approx(1 - len(bed.EASY) / objects)  # each is missed once, until it is confirmed
    assert sorted({number for each in tracked for number in each.ids.tolist()}) == [1, 2, 3, 4]


@pytest.mark.parametrize("seed", range(5))
def test_crossing_paths_with_misses_and_alarms(seed):
    tracked = run(bed.CROSSING, miss=0.1, alarms=0.3, noise=1.0, seed=seed)
    truths = bed.truth(bed.CROSSING, FRAMES)
    score, switches = bed.mota(truths, tracked)
    assert switches == 0
    assert score > 0.8  # a tenth is missed
    assert bed.idf1(truths, tracked) > 0.88


def test_without_motion_the_same_bed_goes_wrong(monkeypatch):
    """The bed is one that a tracker can fail: boxes that are expected where they were last swap or break."""
    monkeypatch.setattr(kalman, "predict", lambda state, covariance, shrinking=None: (state.copy(), covariance))
    scores = [bed.idf1(bed.truth(bed.CROSSING, FRAMES), run(bed.CROSSING, miss=0.1, alarms=0.3, noise=1.0, seed=seed)) for seed in range(5)]
    assert min(scores) < 0.88


@pytest.mark.parametrize("seed", range(3))
def test_the_scores_of_the_bed_are_those_of_motmetrics(seed):
    """Our two definitions against the package that the benchmark's authors maintain, on tracks that are far from perfect."""
    motmetrics = pytest.importorskip("motmetrics", reason="motmetrics is not installed; pip install motmetrics")
    truths = bed.truth(bed.CROSSING, FRAMES)
    tracked = run(bed.CROSSING, miss=0.3, alarms=0.5, noise=4.0, seed=seed, tracker=Tracker(patience=2))
    book = motmetrics.MOTAccumulator(auto_id=True)
    for present, each in zip(truths, tracked, strict=True):
        apart = np.array([[1 - bed.overlap(true, box) for box in each.boxes] for true in present.values()]).reshape(len(present), len(each))
        book.update(list(present), each.ids.tolist(), np.where(apart <= 0.5, apart, np.nan))
    wanted = motmetrics.metrics.create().compute(book, metrics=["mota", "idf1", "num_switches"]).iloc[0]
    score, switches = bed.mota(truths, tracked)
    assert score == pytest.approx(wanted["mota"])
    assert switches == wanted["num_switches"]
    assert bed.idf1(truths, tracked) == pytest.approx(wanted["idf1"])


def test_a_false_alarm_of_one_frame_gets_no_number():
    tracker = Tracker()
    alarms = [tracker.update(found([100 * n, 0, 100 * n + 50, 50])) for n in range(6)]
    assert [len(each) for each in alarms] == [0] * 6
    assert tracker.born == 0


@pytest.mark.parametrize(("hidden", "same"), [(1, True), (10, True), (11, False)])
def test_an_object_out_of_sight_comes_back_within_patience(hidden, same):
    tracker, path = Tracker(patience=10), bed.Path((50, 100), (5, 0))
    for frame in range(20):
        before = tracker.update(found(path.box(frame)))
    for _ in range(hidden):
        assert len(tracker.update(found())) == 0
    tracker.update(found(path.box(20 + hidden)))
    after = tracker.update(found(path.box(21 + hidden)))
    assert (after.ids.tolist() == before.ids.tolist()) is same


def test_a_weak_box_keeps_an_object_but_begins_none():
    """The second round of ByteTrack: SORT, which ignores weak boxes (low = high), loses the object."""
    path = bed.Path((50, 100), (5, 0))
    seen = {}
    for low in (0.1, 0.5):
        tracker = Tracker(low=low)
        seen[low] = [len(tracker.update(found(path.box(n), [300, 300, 340, 360], scores=[0.9 if n < 5 else 0.2, 0.3]))) for n in range(20)]
    assert seen[0.1] == [0] + [1] * 19
    assert seen[0.5] == [0] + [1] * 4 + [0] * 15


def test_classes_are_different_objects_unless_told():
    box = [100, 100, 160, 160]
    for by_class, numbers in ((True, 2), (False, 1)):
        tracker = Tracker(by_class=by_class)
        for kind in (0, 0, 0, 1, 1, 1):
            tracker.update(found(box, classes=[kind]))
        assert tracker.born == numbers


def test_the_boxes_are_those_of_the_detector_and_padding_is_left_out():
    tracker = Tracker()
    frame = found([10.5, 20, 30, 40], [0, 0, 0, 0], [100, 100, 150, 180], scores=[0.9, 0, 0.8], classes=[2, -1, 1])
    tracker.update(frame)
    again = tracker.update(frame)
    assert sorted(map(tuple, again.boxes.tolist())) == [(10.5, 20, 30, 40), (100, 100, 150, 180)]
    assert dict(zip(again.classes.tolist(), again.scores.tolist(), strict=True)) == {2: 0.9, 1: 0.8}


def test_frames_without_a_box_and_boxes_without_area():
    tracker = Tracker()
    assert len(tracker.update(found())) == 0
    for _ in range(3):
        assert len(tracker.update(found([5, 5, 5, 5]))) == 0  # overlaps nothing, not even itself


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (bed.Found(np.zeros((2, 4)), np.zeros(1), np.zeros(2)), "as many boxes as scores"),
        (bed.Found(np.full((1, 4), np.nan), np.ones(1), np.zeros(1)), "NaN or infinite"),
    ],
)
def test_a_broken_detector_is_told(wrong, words):
    with pytest.raises(ValueError, match=words):
        Tracker().update(wrong)


@pytest.mark.parametrize("wrong", [{"low": 0.9}, {"birth": 0.3}, {"patience": -1}, {"overlap": (0.2, 0.5)}, {"overlap": (0, 1, 1)}])
def test_impossible_rules_are_refused(wrong):
    with pytest.raises(ValueError, match="wanted"):
        Tracker(**wrong)


def test_the_filter_is_the_general_one():
    """Four small filters against the 8x8 one of the papers, written with full matrices and an inverse."""
    random = np.random.default_rng(0)
    first = np.array([[100.0, 80, 160, 200]])
    state, covariance = kalman.begin(first)
    mean = np.concatenate([state[0, :, 0], state[0, :, 1]])
    size = lambda m: np.tile(m[2:4], 2)  # noqa: E731
    p = np.diag(np.concatenate([(size(mean) / 10) ** 2, (size(mean) / 16) ** 2]))
    forward, look = np.eye(8) + np.eye(8, k=4), np.eye(4, 8)
    for _ in range(12):
        q = np.diag(np.concatenate([(size(mean) / 20) ** 2, (size(mean) / 160) ** 2]))
        mean, p = forward @ mean, forward @ p @ forward.T + q
        state, covariance = kalman.predict(state, covariance)
        box = first + random.normal(0, 5, (1, 4))
        measured = np.array([box[0, [0, 2]].mean(), box[0, [1, 3]].mean(), box[0, 2] - box[0, 0], box[0, 3] - box[0, 1]])
        gain = p @ look.T @ np.linalg.inv(look @ p @ look.T + np.diag((size(mean) / 20) ** 2))
        mean, p = mean + gain @ (measured - look @ mean), (np.eye(8) - gain @ look) @ p
        state, covariance = kalman.correct(state, covariance, box)
        np.testing.assert_allclose(np.concatenate([state[0, :, 0], state[0, :, 1]]), mean, rtol=1e-9)
        for axis in range(4):
            np.testing.assert_allclose(covariance[0, axis], p[np.ix_([axis, axis + 4], [axis, axis + 4])], rtol=1e-7)


def test_the_filter_settles_where_the_riccati_equation_says():
    """For a box that does not change, the uncertainty goes to the solution of the discrete algebraic Riccati equation."""
    linalg = pytest.importorskip("scipy.linalg", reason="scipy is not installed")
    box = np.array([[0.0, 0, 80, 40]])
    state, covariance = kalman.begin(box)
    for _ in range(400):
        state, before = kalman.predict(state, covariance)
        state, covariance = kalman.correct(state, before, box)
    f, h = np.array([[1.0, 1], [0, 1]]), np.array([[1.0, 0]])
    for axis, side in enumerate((80, 40, 80, 40)):
        q, r = np.diag([(side / 20) ** 2, (side / 160) ** 2]), np.array([[(side / 20) ** 2]])
        np.testing.assert_allclose(before[0, axis], linalg.solve_discrete_are(f.T, h.T, q, r), rtol=1e-6)


def test_a_filter_learns_the_speed():
    path = bed.Path((0, 0), (3, -2))
    state, covariance = kalman.begin(np.array([path.box(0)]))
    for frame in range(1, 60):
        state, covariance = kalman.correct(*kalman.predict(state, covariance), np.array([path.box(frame)]))
    np.testing.assert_allclose(state[0, :, 1], [3, -2, 0, 0], atol=1e-2)
    ahead, _ = kalman.predict(state, covariance)
    np.testing.assert_allclose(kalman.cornered(ahead)[0], path.box(60), atol=0.1)
