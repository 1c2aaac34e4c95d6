"""Osler: a deep-learning workbench for vision, on PyTorch."""

__version__ = "0.1.0"
