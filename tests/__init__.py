"""A package with a name of its own, because tf2onnx installs one called `tests` too, which a folder without this file loses to."""
