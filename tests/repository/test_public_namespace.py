"""`import osler` offers exactly what is listed here: a name more or less is a change that the changelog must tell."""

import subprocess
import sys

import osler

PUBLIC = {
    "Observer",
    "OslerError",
    "Run",
    "__version__",
    "check_gradients",
    "choose_network",
    "create_model",
    "cross_validate",
    "describe_data",
    "evaluate",
    "examine",
    "inspect",
    "list_models",
    "predict",
    "resume_run",
    "search",
    "train",
    "watch",
    "worked_backpropagation",
}


def test_the_public_names_are_exactly_these() -> None:
    assert set(osler.__all__) == PUBLIC


def test_every_public_name_is_there_and_documented() -> None:
    for name in PUBLIC - {"__version__"}:
        assert getattr(osler, name).__doc__, name


def test_dir_shows_the_public_names() -> None:
    assert set(dir(osler)) >= PUBLIC


def test_an_unknown_name_is_an_attribute_error() -> None:
    code = "import osler; osler.tarin"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "AttributeError" in result.stderr
    assert "tarin" in result.stderr
