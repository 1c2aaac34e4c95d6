"""Measurements of a training network over time."""
