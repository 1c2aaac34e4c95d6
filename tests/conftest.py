"""What every test has: one thread under xdist, the real data beside the checkout, and the craft marker's collector."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["craft.collector"]

os.environ["OSLER_OFFLINE"] = "1"  # no test asks the network for public weights; those of downloads unset it

settings.register_profile("untimed", deadline=None)  # tests time nothing
settings.load_profile("untimed")

SHARED = Path(__file__).parents[2] / "shared"

if "PYTEST_XDIST_WORKER" in os.environ:  # read when torch, OpenCV and OpenMP start: several workers share the cores
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data beside the checkout; a test that asks for it is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"the real data are not there: {SHARED}")
    return SHARED
