"""A trained model behind HTTP, for a shop floor or a demo: picture in, labels or boxes out, one process, one model.

`zoo serve runs/first_cnn` is `zoo.serve.command`; `zoo.serve.application(subject)` is the Flask application for another server or a test.
Everything a request brings is distrusted: sizes are checked before anything is decoded, no more pictures are held than the queue allows,
and no text of a request is sent back in a page.
"""

from __future__ import annotations

from zoo.serve.application import application
from zoo.serve.subject import Boxes, Labels, Subject

__all__ = ["Boxes", "Labels", "Subject", "application"]
