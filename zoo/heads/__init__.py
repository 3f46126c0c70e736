"""Pyramid -> prediction: plain functions that name the levels they need."""
