"""Guided projects: each file is a lesson that runs from data to a report. They import `zoo` and nothing of each other."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's start-up notes are no part of a lesson
os.environ.setdefault("MPLBACKEND", "Agg")  # figures are files
