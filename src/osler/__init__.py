"""Osler: a deep-learning workbench for vision, on PyTorch.

    run = osler.train(data="photos/", model="resnet18", epochs=10)
    run.metrics["accuracy"]; run.predict("cat.jpg"); run.report

Everything public is here and is imported when it is first used, so that `import osler` costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from osler.anatomy.gradient_checker import check_gradients as check_gradients
    from osler.models.choosing import choose_network as choose_network
    from osler.models.registry import create_model as create_model
    from osler.models.registry import list_models as list_models
    from osler.structures.errors import OslerError as OslerError
    from osler.training.observer import Observer as Observer
    from osler.verbs.backprop import worked_backpropagation as worked_backpropagation
    from osler.verbs.cross_validate import cross_validate as cross_validate
    from osler.verbs.data import describe_data as describe_data
    from osler.verbs.doctor import examine as examine
    from osler.verbs.doctor import watch as watch
    from osler.verbs.evaluate import evaluate as evaluate
    from osler.verbs.inspect import inspect as inspect
    from osler.verbs.predict import predict as predict
    from osler.verbs.run import Run as Run
    from osler.verbs.search import search as search
    from osler.verbs.train import resume_run as resume_run
    from osler.verbs.train import train as train

__version__ = "0.1.0"

_PLACES = {
    "Observer": "osler.training.observer",
    "OslerError": "osler.structures.errors",
    "Run": "osler.verbs.run",
    "check_gradients": "osler.anatomy.gradient_checker",
    "choose_network": "osler.models.choosing",
    "create_model": "osler.models.registry",
    "cross_validate": "osler.verbs.cross_validate",
    "describe_data": "osler.verbs.data",
    "evaluate": "osler.verbs.evaluate",
    "examine": "osler.verbs.doctor",
    "inspect": "osler.verbs.inspect",
    "list_models": "osler.models.registry",
    "predict": "osler.verbs.predict",
    "resume_run": "osler.verbs.train",
    "search": "osler.verbs.search",
    "train": "osler.verbs.train",
    "watch": "osler.verbs.doctor",
    "worked_backpropagation": "osler.verbs.backprop",
}

__all__ = [*_PLACES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PLACES:
        return getattr(import_module(_PLACES[name]), name)
    raise AttributeError(f"osler has no {name!r}. It has: {', '.join(__all__)}.")


def __dir__() -> list[str]:
    return __all__
