"""Object detectors: rows, the model that trains with plain `fit`, and boxes at the library's edge."""
