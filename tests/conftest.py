"""What every test has: one thread under xdist, the real data beside the checkout, and the craft marker's collector."""

import os
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # before torch and OpenMP start: two workers share two cores
    os.environ.setdefault("OMP_NUM_THREADS", "1")

SHARED = Path(__file__).parents[2] / "shared"
