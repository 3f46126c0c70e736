"""torch's and torchvision's side of the tests of zoo/ops, in a process of its own (torch must not follow TensorFlow into one).

`python -m tests.ops.torch_oracle IN.npz OUT.npz`. Every array of IN named SUBJECT:CASE... is answered under the same case.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]


def ask(**arrays: np.ndarray) -> dict[str, np.ndarray]:
    """The answers of `main` to arrays named after the questions; skips the test where torchvision is not installed."""
    from tests.references import require

    require("torch", "torchvision")
    with tempfile.TemporaryDirectory() as folder:
        question, answer = Path(folder, "question.npz"), Path(folder, "answer.npz")
        np.savez(question, **arrays)
        command = [sys.executable, "-W", "ignore", "-m", "tests.ops.torch_oracle", str(question), str(answer)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        with np.load(answer, allow_pickle=False) as file:
            return dict(file)


def anchors(sizes: np.ndarray) -> dict[str, np.ndarray]:
    """RetinaNet's anchors of torchvision for images of (height, width)."""
    import torch
    from torchvision.models.detection.image_list import ImageList
    from torchvision.models.detection.retinanet import _default_anchorgen

    answers = {}
    for height, width in sizes.tolist():
        maps = [torch.zeros(1, 1, -(-height // stride), -(-width // stride)) for stride in (8, 16, 32, 64, 128)]
        image = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
        answers[f"{height}x{width}"] = _default_anchorgen()(image, maps)[0].numpy()
    return answers


def losses(pairs: np.ndarray) -> dict[str, np.ndarray]:
    """(n, 2, 4) float64 -> giou, diou and ciou of the pairs by torchvision's losses, and their gradients in the first box."""
    import torch
    from torchvision.ops import complete_box_iou_loss, distance_box_iou_loss, generalized_box_iou_loss

    answers = {}
    for name, loss in (("giou", generalized_box_iou_loss), ("diou", distance_box_iou_loss), ("ciou", complete_box_iou_loss)):
        a, b = torch.tensor(pairs[:, 0], requires_grad=True), torch.tensor(pairs[:, 1])
        value = 1 - loss(a, b, eps=1e-12)
        value.sum().backward()
        answers[name], answers[f"{name}_gradient"] = value.detach().numpy(), a.grad.numpy()
    return answers


def matches(cases: np.ndarray) -> dict[str, np.ndarray]:
    """(cases, truths, anchors) IoU, rows of -1 as padding -> "matched_False" and "matched_True" (low quality), (cases, anchors)."""
    import torch
    from torchvision.models.detection._utils import Matcher

    answers = {}
    for low_quality in (False, True):
        matcher = Matcher(0.5, 0.4, allow_low_quality_matches=low_quality)
        rows = []
        for case in cases:
            real = torch.tensor(case[(case >= 0).all(axis=1)])
            rows.append(matcher(real).numpy() if len(real) else np.full(case.shape[1], -1))  # torchvision's models ask no matcher then
        answers[f"matched_{low_quality}"] = np.stack(rows)
    return answers


def main(question: str, answer: str) -> None:
    from zoo.verify import torch_side

    torch_side.library("torchvision")
    with np.load(question, allow_pickle=False) as file:
        answers = [{"anchors": anchors, "losses": losses, "matches": matches}[name](file[name]) for name in file]
    np.savez(answer, **{name: array for each in answers for name, array in each.items()})


if __name__ == "__main__":
    main(*sys.argv[1:])
