"""What the plan says is what the pipeline does, and the memory is what the kernel's files say."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from tests.data.test_pipeline import STRONG, coded, collect, noisy
from zoo.data import plan
from zoo.data.pipeline import Pipeline


def _kernel(folder, meminfo=None, limit=None, used=None):
    """A root folder with the files that Linux would have."""
    if meminfo is not None:
        (folder / "proc").mkdir()
        (folder / "proc" / "meminfo").write_text(meminfo)
    group = folder / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    if limit is not None:
        (group / "memory.max").write_text(f"{limit}\n")
        (group / "memory.current").write_text(f"{used}\n")
    return folder


MEMINFO = "MemTotal:       16000 kB\nMemFree:  10 kB\nMemAvailable:    8000 kB\n"


@pytest.mark.parametrize(
    ("files", "free"),
    [
        ({}, None),
        ({"meminfo": MEMINFO}, 8000 * 1024),
        ({"meminfo": MEMINFO, "limit": "max", "used": 5}, 8000 * 1024),
        ({"meminfo": MEMINFO, "limit": 1_000_000, "used": 400_000}, 600_000),
        ({"meminfo": MEMINFO, "limit": 1_000_000, "used": 1_400_000}, 0),
        ({"meminfo": "MemTotal: 5 kB\n"}, None),
    ],
)
def test_free_memory_is_the_least_of_what_the_kernel_and_the_container_allow(tmp_path, files, free):
    assert plan.free_memory(_kernel(tmp_path, **files)) == free


def test_the_budget_is_a_share_of_it_and_a_gibibyte_where_nobody_knows(monkeypatch):
    monkeypatch.setattr(plan, "free_memory", lambda: 4000)
    assert plan.budget() == 1000
    monkeypatch.setattr("zoo.data.pipeline.budget", lambda: 17)
    assert Pipeline(coded(3), 8).memory == 17
    monkeypatch.setattr(plan, "free_memory", lambda: None)
    assert plan.budget() == 1 << 30


def _is_file(pipeline: Pipeline) -> bool:
    return isinstance(pipeline.pixels(), np.memmap)


def test_the_cache_is_where_the_plan_says():
    need = 6 * 16 * 16 * 3
    small, large = Pipeline(noisy(6), 16, memory=need - 1), Pipeline(noisy(6), 16, memory=need)
    assert small.plan()["cache"].chosen == "in a temporary file"
    assert _is_file(small)
    assert large.plan()["cache"].chosen == "in memory"
    assert not _is_file(large)
    given = Pipeline(coded(5), 8, memory=0)
    assert given.plan()["cache"].chosen == "the given array"
    assert given.pixels() is given.examples.items
    assert Pipeline(noisy(6), 16, cache=False).plan()["cache"].chosen == "none"


def test_the_plan_is_a_line_for_each_stage_with_its_reason():
    text = str(Pipeline(noisy(6), 16, STRONG, memory=1 << 20).plan())
    assert [line.split()[0] for line in text.splitlines()] == ["cache", "decode", "change", "order", "prefetch"]
    assert "6 images of 16 x 16 are 0.0 MiB, within the budget of 1.0 MiB" in text
    assert f"{plan.cores()} threads" in text


def test_overtaking_is_a_switch_and_loses_no_image():
    pipeline = Pipeline(coded(23), 8, deterministic=False)
    assert pipeline.plan()["order"].chosen == "whatever is ready first"
    assert pipeline.training(5, 0).options().deterministic is False
    assert Pipeline(coded(23), 8).training(5, 0).options().deterministic is True
    assert pipeline.evaluation(5).options().deterministic is True, "predictions are matched with labels by their order"
    images, _ = collect(pipeline.training(23, 0), 1)
    assert sorted(images[0][:, 0, 0, 0]) == list(range(23))


def test_batches_copied_ahead_to_a_device_are_the_same_bits():
    plain, ahead = Pipeline(noisy(6), 16, STRONG), Pipeline(noisy(6), 16, STRONG, device="CPU:0")
    assert "CPU:0" in ahead.plan()["prefetch"].chosen
    for (images, labels), (same, too) in zip(plain.training(4, 3).take(4), iter_first(ahead, 4), strict=True):
        assert "CPU:0" in same.device
        np.testing.assert_array_equal(images.numpy(), same.numpy())
        np.testing.assert_array_equal(labels.numpy(), too.numpy())


def iter_first(pipeline: Pipeline, count: int):
    batches = iter(pipeline.training(4, 3))
    assert isinstance(batches, tf.data.Iterator)
    return [next(batches) for _ in range(count)]
