"""From a recipe and opened data to a Training: every automatic choice made once, with its reason, on the record."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from osler.data.loader import Loader
from osler.data.source import DataSource
from osler.data.statistics import channel_statistics
from osler.imaging.augment import Augmentation, build_augmentation
from osler.imaging.fit import FitTo
from osler.imaging.pca_noise import ColourComponents, colour_components
from osler.imaging.transform import Compose
from osler.models.data_initialisation import NeedsData
from osler.models.head import find_head
from osler.models.recipe import ModelSection, Statistics
from osler.models.registry import create_model
from osler.structures.errors import RecipeError, TrainingError
from osler.structures.preprocessing import Preprocessing
from osler.tasks.building import build_task
from osler.tasks.task import Task
from osler.training import engine as engines
from osler.training.artefact import Artefact, load_artefact
from osler.training.averaging import WeightAverage
from osler.training.checkpoint import check_keys
from osler.training.choices import choose_lr, choose_optimizer, choose_weight_decay
from osler.training.cost import multiply_adds
from osler.training.engine import Engine, build_engine, launched_processes
from osler.training.optimizer import build_optimizer
from osler.training.recipe import ResolvedRecipe
from osler.training.schedule import build_schedule
from osler.training.state import Group, Standardise, Training, seed_everything

NAMED_STATISTICS = {
    "imagenet": Statistics(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),  # of ILSVRC-2012's training pictures
    "half": Statistics(mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5)),
}
Number = TypeVar("Number", bound=int)
COLOUR_PICTURES = 500  # whose pixels give the principal colours
INITIALISATION_PICTURES = 2_000  # for networks whose first weights are measured on the training pictures


@dataclass(frozen=True, slots=True)
class Given:
    """What a person passed in Python, which no recipe can hold."""

    model: nn.Module | None = None
    loss: Callable[..., Tensor] | None = None
    task: Task | None = None


def build_training(
    resolved: ResolvedRecipe, source: DataSource, given: Given | None = None
) -> tuple[Training, Artefact]:
    """A training at its start, and the artefact that its best weights will fill.

    Raises:
        OslerError: the recipe, the data and the network do not fit; the message says how.
    """
    given = given or Given()
    seed_everything(resolved.recipe.seed)
    if given.task is not None:
        resolved = resolved.choose("task.name", given.task.name, "a task passed in Python", who="person")
    elif resolved.recipe.task.name == "auto":
        name = {"class": "classification", "labels": "multilabel", "numbers": "regression"}[source.kind]
        resolved = resolved.choose("task.name", name, f"the data has {_labels_of(source)}")
    task = given.task or build_task(resolved.recipe.task, source, seed=resolved.recipe.seed, loss=given.loss)
    resolved = _choose_preprocessing(_choose_from_weights(resolved), source)
    preprocessing = preprocessing_of(resolved.recipe.model, source.names)
    resolved, model, architecture = _make_model(resolved, given.model, task, preprocessing)
    model.preprocessing = preprocessing  # type: ignore[assignment]
    resolved = _choose_computing(resolved, source, model, preprocessing)
    engine = build_engine(resolved.recipe.train)
    resolved, train_loader, validation_loader, augmentation = _loaders(resolved, source, task, preprocessing, engine)
    standardise = Standardise(preprocessing.mean, preprocessing.std).to(engine.device)
    model = engine.place(model)
    if isinstance(model, NeedsData) and resolved.recipe.model.weights == "none":
        model.initialise_from_data(standardise(_first_pictures(source, preprocessing).to(engine.device)))
    training = Training(
        recipe=resolved,
        task=task,
        model=model,
        engine=engine,
        groups=_groups(resolved, task, model, len(train_loader)),
        train_loader=train_loader,
        validation_loader=validation_loader,
        standardise=standardise,
        batch_transforms=augmentation.batch,
        average=WeightAverage(model, decay=resolved.recipe.train.ema) if resolved.recipe.train.ema else None,
    )
    if resolved.recipe.train.compile:
        model.compile()
    return training, Artefact(model, preprocessing, task, architecture)


def _labels_of(source: DataSource) -> str:
    return {"class": "one class a picture", "labels": "several labels a picture", "numbers": "numbers"}[source.kind]


def _choose_preprocessing(resolved: ResolvedRecipe, source: DataSource) -> ResolvedRecipe:
    """Size, channels, fit and statistics of the pictures."""
    section = resolved.recipe.model
    if section.channels == "auto":
        resolved = resolved.choose("model.channels", source.channels, "as the pictures have")
    if section.size == "auto":
        resolved = resolved.choose("model.size", *_input_size(source))
    if section.fit == "auto":
        fit = (
            ("stretch", "all pictures have one shape")
            if source.uniform
            else ("crop", "keeps shapes true; what is outside the centre is cut")
        )
        if source.kind == "numbers" and not source.uniform:
            fit = ("pad", "numbers may depend on the whole picture")
        resolved = resolved.choose("model.fit", *fit)
    if section.standardise in ("auto", "measured"):
        mean, std = channel_statistics(source.train, settled(resolved.recipe.model.channels), seed=resolved.recipe.seed)
        measured = Statistics(mean=_rounded(mean), std=_rounded(std))
        who = resolved.origin("model.standardise").who
        resolved = resolved.choose(
            "model.standardise",
            measured,
            "measured on the training pictures",
            who="person" if who == "person" else "automatic",
        )
    return resolved


def settled(value: Number | Literal["auto"]) -> Number:
    """A value that was left to Osler, after the choice was made."""
    assert value != "auto", "every automatic value is chosen before it is used"
    return value


def _rounded(values: Sequence[float]) -> tuple[float, ...]:
    return tuple(round(float(v), 4) for v in values)


def _choose_from_weights(resolved: ResolvedRecipe) -> ResolvedRecipe:
    """Where the network starts from a trained one, its pictures are prepared as that one's were."""
    if resolved.recipe.model.weights == "none":
        return resolved
    found = load_artefact(weights_path(resolved.recipe.model.weights))
    theirs = found.preprocessing
    choices = {
        "name": found.architecture["name"],
        "options": found.architecture["options"],
        "size": theirs.size,
        "fit": theirs.fit,
        "channels": theirs.channels,
        "standardise": Statistics(mean=theirs.mean, std=theirs.std),
    }
    for key, value in choices.items():
        if resolved.value(f"model.{key}") in ("auto", {}) and value is not None:
            resolved = resolved.choose(f"model.{key}", value, "as the weights were trained", who="weights")
    return resolved


def weights_path(weights: str) -> Path:
    """The file of weights that a recipe names: itself, or the best of a run's folder."""
    path = Path(weights)
    return path / "checkpoints" / "best.safetensors" if path.is_dir() else path


def _input_size(source: DataSource) -> tuple[tuple[int, int], str]:
    """The pictures' own size when they are small; 224 x 224 for photographs, as the field trains them."""
    height, width = source.typical_size
    if source.uniform and max(height, width) <= 256:
        return (height, width), "the size of all pictures"
    side = min(224, max(32, 32 * round(min(height, width) / 32)))
    return (side, side), f"pictures are about {height}x{width}"


def preprocessing_of(section: ModelSection, names: Sequence[str]) -> Preprocessing:
    """The Preprocessing that a resolved `model` section asks for.

    Raises:
        RecipeError: the statistics are for another number of channels than the pictures have.
    """
    channels, size = section.channels, section.size
    given = section.standardise
    statistics = given if isinstance(given, Statistics) else NAMED_STATISTICS[given]
    mean, std = statistics.mean, statistics.std
    if channels == 1 and len(mean) == 3:
        mean, std = (sum(mean) / 3,), (sum(std) / 3,)
    if len(mean) != channels:
        raise RecipeError(f"model.standardise has {len(mean)} numbers, but pictures have {channels} channels.")
    sides = (size, size) if isinstance(size, int) else size
    return Preprocessing(sides, channels, section.fit, mean=mean, std=std, mirror=section.mirror, names=tuple(names))  # type: ignore[arg-type]


def _make_model(
    resolved: ResolvedRecipe, module: nn.Module | None, task: Task, preprocessing: Preprocessing
) -> tuple[ResolvedRecipe, nn.Module, dict[str, Any]]:
    """The network, and the arguments that make it again."""
    if module is not None:
        kind = type(module).__name__
        resolved = resolved.choose(
            "model.name", f"{type(module).__module__}:{kind}", "a module passed in Python", who="person"
        )
        _check_outputs(module, task, preprocessing)
        return resolved, module, {"name": None, "class": kind}
    if resolved.recipe.model.name == "auto":
        resolved = resolved.choose("model.name", *_choose_model(preprocessing))
    section = resolved.recipe.model
    architecture = {
        "name": section.name,
        "num_classes": task.outputs,
        "in_channels": preprocessing.channels,
        "options": dict(section.options),
    }
    model = create_model(section.name, num_classes=task.outputs, in_channels=preprocessing.channels, **section.options)
    smallest = getattr(model, "minimum_size", 1)
    if min(preprocessing.size) < smallest:
        height, width = preprocessing.size
        raise RecipeError(
            f"{section.name} cannot see pictures of {height}x{width}: it needs {smallest}x{smallest} or larger (model.size)."
        )
    _check_outputs(model, task, preprocessing)
    if section.weights != "none":
        _load_weights(model, section.weights)
    return resolved, model, architecture


def _choose_model(preprocessing: Preprocessing) -> tuple[str, str]:
    side = min(preprocessing.size)
    if side <= 64:
        return "convnet", f"small and quick, made for pictures of {side} pixels"
    return "resnet18", "the field's usual start for photographs"


def _check_outputs(model: nn.Module, task: Task, preprocessing: Preprocessing) -> None:
    """One black picture through the network: does it take it, and put out what the task needs?

    A network that wants more than pictures is left to its task.
    """
    was_training, parameter = model.training, next(model.parameters(), torch.empty(0))
    picture = torch.zeros(2, preprocessing.channels, *preprocessing.size, device=parameter.device)
    try:
        with torch.inference_mode():
            output = model.eval()(picture)
    except TypeError:
        return
    except RuntimeError as error:
        shape = f"{preprocessing.channels}x{preprocessing.size[0]}x{preprocessing.size[1]}"
        raise RecipeError(
            f"{type(model).__name__} does not take pictures of {shape}: {str(error).splitlines()[0]}"
        ) from None
    finally:
        model.train(was_training)
    if isinstance(output, Tensor) and task.outputs and (output.ndim != 2 or output.shape[1] != task.outputs):
        raise RecipeError(
            f"{type(model).__name__} puts out {list(output.shape[1:])} numbers for a picture; {task.name} on this data needs [{task.outputs}]."
        )


def _load_weights(model: nn.Module, weights: str) -> None:
    """Fills the network from a run or a file that Osler wrote; a head for other classes starts anew."""
    path = weights_path(weights)
    found = load_artefact(path).model.state_dict()
    head, layer = find_head(model)
    fits = found[f"{head}.weight"].shape == layer.weight.shape if f"{head}.weight" in found else True
    if not fits:
        found |= {k: v for k, v in model.state_dict().items() if k.startswith(f"{head}.")}
    check_keys(model.state_dict(), found, str(path))
    model.load_state_dict(found)


def _choose_computing(
    resolved: ResolvedRecipe, source: DataSource, model: nn.Module, preprocessing: Preprocessing
) -> ResolvedRecipe:
    """Device, precision, memory format, batch size, workers, and the optimiser's numbers."""

    def settle(key: str, choose: Callable[[], tuple[Any, str]]) -> None:
        nonlocal resolved
        if resolved.value(key) == "auto":
            resolved = resolved.choose(key, *choose())

    train = lambda: resolved.recipe.train  # noqa: E731  (the recipe changes with every choice)
    settle("train.device", engines.choose_device)
    cost = multiply_adds(model, preprocessing.channels, preprocessing.size)
    settle("train.precision", lambda: engines.choose_precision(train().device, cost))
    settle("train.memory_format", lambda: engines.choose_memory_format(model))
    settle("train.batch_size", lambda: engines.choose_batch_size(len(source.train), preprocessing.size))
    settle("train.workers", lambda: engines.choose_workers(source.in_memory, launched_processes()))
    settle("train.optimizer", lambda: choose_optimizer(model))
    settle("train.lr", lambda: choose_lr(train().optimizer))
    settle("train.weight_decay", lambda: choose_weight_decay(train().optimizer))
    return resolved


def _loaders(
    resolved: ResolvedRecipe, source: DataSource, task: Task, preprocessing: Preprocessing, engine: Engine
) -> tuple[ResolvedRecipe, Loader, Loader | None, Augmentation]:
    """The training and validation loaders, and the augmentation."""
    recipe = resolved.recipe
    augmentation = build_augmentation(
        recipe.data.augment,
        preprocessing=preprocessing,
        typical_size=source.typical_size,
        kind=source.kind,
        num_classes=task.outputs,
        components=_components(resolved, source),
    )
    if recipe.data.augment.preset == "auto":
        resolved = resolved.choose("data.augment.preset", augmentation.chosen, augmentation.reason)
    size = recipe.train.batch_size
    if size % engine.world:
        raise TrainingError(
            f"train.batch_size={size} does not divide among {engine.world} processes. Choose a multiple."
        )
    order = "balanced" if recipe.data.sampler == "balanced" else "shuffle"
    train = _loader(resolved, source.train, augmentation.sample, task, augmentation.at_least, engine, order)
    validation = (
        evaluation_loader(resolved, source.validation, task, preprocessing, engine) if len(source.validation) else None
    )
    return resolved, train, validation, augmentation


def evaluation_loader(
    resolved: ResolvedRecipe, dataset: Any, task: Task, preprocessing: Preprocessing, engine: Engine
) -> Loader:
    """A loader of every sample once, in order, without augmentation."""
    return _loader(resolved, dataset, [FitTo(preprocessing)], task, preprocessing.size, engine, "sequential")


def _loader(
    resolved: ResolvedRecipe, dataset: Any, transforms: Any, task: Task, decode_size: Any, engine: Engine, order: Any
) -> Loader:
    recipe = resolved.recipe
    dataset.decode_size = decode_size
    return Loader(
        dataset,
        transform=Compose(transforms),
        collate=task.collate,
        batch_size=max(1, settled(recipe.train.batch_size) // engine.world),
        seed=recipe.seed,
        order=order,
        workers=settled(recipe.train.workers),
        rank=engine.rank,
        world=engine.world,
        unreadable=recipe.data.unreadable,
    )


def _components(resolved: ResolvedRecipe, source: DataSource) -> ColourComponents | None:
    """The principal colours of the training pictures, where colour noise is asked for (Krizhevsky et al. 2012, section 4.1)."""
    if not resolved.recipe.data.augment.pca_noise or resolved.recipe.model.channels != 3:
        return None
    chosen = np.linspace(0, len(source.train) - 1, min(len(source.train), COLOUR_PICTURES)).astype(int)
    return colour_components(source.train[int(i)].image for i in chosen)


def _first_pictures(source: DataSource, preprocessing: Preprocessing) -> Tensor:
    """Some training pictures without augmentation, spread evenly over the set."""
    fit, rng = FitTo(preprocessing), np.random.default_rng(0)
    chosen = np.linspace(0, len(source.train) - 1, min(len(source.train), INITIALISATION_PICTURES)).astype(int)
    pictures = np.stack([fit(source.train[int(i)], rng).image for i in chosen])
    return torch.from_numpy(pictures).permute(0, 3, 1, 2)


def _groups(resolved: ResolvedRecipe, task: Task, model: nn.Module, batches: int) -> dict[str, Group]:
    """An optimiser and a schedule for each part of the model that the task names."""
    section = resolved.recipe.train
    updates = -(-batches // section.accumulate)
    groups = {}
    for name, module in task.groups(model).items():
        optimizer = build_optimizer(section, module, batch_size=settled(section.batch_size) * section.accumulate)
        schedule = build_schedule(section, optimizer, steps_per_epoch=updates, epochs=section.epochs)
        parameters = [p for p in module.parameters() if p.requires_grad]
        groups[name] = Group(module, optimizer, schedule, parameters)
    return groups
