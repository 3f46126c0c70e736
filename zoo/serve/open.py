"""What `zoo serve` was asked for -> a subject: a run folder or a row, a classifier or a detector."""

from __future__ import annotations

from zoo import locate, predict
from zoo.serve.subject import Boxes, Labels, Subject


def opened(options) -> Subject:
    """Raises ValueError unless one of run folder and row is named, and as `zoo.predict.from_run` and `from_registry`."""
    if bool(options.run_folder) == bool(options.model):
        raise ValueError("name what to serve: a run folder, or a row with --model; one of the two")
    predict.check_asked(options)
    if options.model:
        row, weights = options.model, options.weights
        return Boxes(locate.from_registry(row, weights)) if locate.knows(row) else Labels(predict.from_registry(row, weights))
    found = locate.from_folder(options.run_folder)
    return Boxes(found) if isinstance(found, locate.Locator) else Labels(found)
