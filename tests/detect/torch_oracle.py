"""torchvision's side of the tests of the criteria, in a process of its own (torch must not follow TensorFlow into one).

`python -m tests.detect.torch_oracle IN.npz OUT.npz`: the loss of RetinaNet, and the focal loss, of the arrays in IN.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BOX_LOSSES = ("l1", "smooth_l1", "giou")


def ask(folder: Path, **arrays: np.ndarray) -> dict[str, np.ndarray]:
    """The answers of `main`; skips the test where torchvision is not installed."""
    from tests.references import require

    require("torch", "torchvision")
    question, answer = folder / "question.npz", folder / "answer.npz"
    np.savez(question, **arrays)
    command = [sys.executable, "-W", "ignore", "-m", "tests.detect.torch_oracle", str(question), str(answer)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    with np.load(answer, allow_pickle=False) as file:
        return dict(file)


def retinanet(kind: str, given: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """given: anchors (a, 4), logits (b, a, classes), deltas (b, a, 4), boxes (b, n, 4), classes (b, n) with -1 on padding."""
    import torch
    from torchvision.models.detection._utils import Matcher
    from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead

    head = RetinaNetHead(8, 9, given["logits"].shape[-1])
    head.regression_head._loss_type = kind
    model = SimpleNamespace(head=head, proposal_matcher=Matcher(0.5, 0.4, allow_low_quality_matches=True))
    outputs = {"cls_logits": torch.tensor(given["logits"]), "bbox_regression": torch.tensor(given["deltas"])}
    for output in outputs.values():
        output.requires_grad_(True)
    targets = [
        {"boxes": torch.tensor(boxes[classes >= 0]), "labels": torch.tensor(classes[classes >= 0], dtype=torch.int64)}
        for boxes, classes in zip(given["boxes"], given["classes"], strict=True)
    ]
    anchors = [torch.tensor(given["anchors"])] * len(targets)
    losses = RetinaNet.compute_loss(model, targets, outputs, anchors)
    sum(losses.values()).backward()
    return {
        f"{kind}_class": losses["classification"].detach().numpy(),
        f"{kind}_box": losses["bbox_regression"].detach().numpy(),
        f"{kind}_logits_gradient": outputs["cls_logits"].grad.numpy(),
        f"{kind}_deltas_gradient": outputs["bbox_regression"].grad.numpy(),
    }


def focal(logits: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """The focal loss of every element."""
    import torch
    from torchvision.ops import sigmoid_focal_loss

    return {"focal": sigmoid_focal_loss(torch.tensor(logits), torch.tensor(targets)).numpy()}


def main(question: str, answer: str) -> None:
    from zoo.verify import torch_side

    torch_side.library("torchvision")
    with np.load(question, allow_pickle=False) as file:
        given = dict(file)
    answers = focal(given["focal_logits"], given["focal_targets"]) if "focal_logits" in given else {}
    if "anchors" in given:
        for kind in BOX_LOSSES:
            answers |= retinanet(kind, given)
    np.savez(answer, **answers)


if __name__ == "__main__":
    main(*sys.argv[1:])
