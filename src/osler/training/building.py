"""From a recipe and opened data to a Training: every automatic choice made once, with its reason, on the record."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from osler.data.loader import Loader
from osler.data.readable import readable_samples
from osler.data.source import DataSource
from osler.imaging.augment import Augmentation, build_augmentation
from osler.imaging.fit import FitTo
from osler.imaging.multi_scale import MultiScale
from osler.imaging.pca_noise import ColourComponents, colour_components
from osler.imaging.transform import Compose
from osler.models.cost import multiply_adds
from osler.structures.errors import RecipeError, TrainingError
from osler.structures.preprocessing import Preprocessing, Standardise
from osler.tasks.building import BY_KIND, build_task
from osler.tasks.requirements import KINDS
from osler.tasks.task import Task
from osler.training import engine as engines
from osler.training.artefact import Artefact
from osler.training.averaging import WeightAverage
from osler.training.choices import choose_lr, choose_optimizer, choose_weight_decay
from osler.training.engine import Engine, build_engine, launched_processes, local_processes
from osler.training.fine_tuning import Freezing, scale_learning_rates
from osler.training.initial_weights import start_weights
from osler.training.input_choice import choose_preprocessing, preprocessing_of, settled
from osler.training.judging import check_judging
from osler.training.network import choose_network, make_model
from osler.training.optimizer import build_optimizer
from osler.training.recipe import PASSED, ResolvedRecipe
from osler.training.schedule import build_schedule
from osler.training.starting_weights import choose_start, load_start
from osler.training.state import Group, Training, part_ways, seed_everything

COLOUR_PICTURES = 500  # whose pixels give the principal colours


@dataclass(frozen=True, slots=True)
class Given:
    """What a person passed in Python, which no recipe can hold."""

    model: nn.Module | None = None
    loss: Callable[..., Tensor] | None = None
    task: Task | None = None


def build_training(
    resolved: ResolvedRecipe, source: DataSource, given: Given | None = None, *, fresh: bool = True
) -> tuple[Training, Artefact]:
    """A training at its start, and the artefact that its best weights will fill.

    One that is not fresh goes on from a checkpoint, which brings its weights: nothing is read or measured for them.

    Raises:
        OslerError: the recipe, the data and the network do not fit; the message says how.
    """
    given = given or Given()
    seed_everything(resolved.recipe.seed)
    if given.task is not None:
        resolved = resolved.choose("task.name", given.task.name, "a task passed in Python", who="person")
    elif resolved.recipe.task.name == "auto":
        resolved = resolved.choose("task.name", BY_KIND[source.kind], f"the data has {KINDS[source.kind]}")
    if given.loss is not None:
        resolved = resolved.choose("task.loss", PASSED, "a loss passed in Python", who="person")
    task = given.task or build_task(resolved.recipe.task, source, seed=resolved.recipe.seed, loss=given.loss)
    resolved = choose_preprocessing(_started(resolved, source, given) if fresh else resolved, source)
    preprocessing = preprocessing_of(resolved.recipe.model, source.names)
    resolved, model, architecture = make_model(resolved, given.model, task, preprocessing)
    notes = load_start(model, resolved.recipe.model) if fresh else []
    model.preprocessing = preprocessing  # type: ignore[assignment]
    _agree_on_masks(source, model)
    resolved = _choose_computing(resolved, source, model, preprocessing)
    engine = build_engine(resolved.recipe.train)
    resolved, train_loader, validation_loader, augmentation = _loaders(resolved, source, task, preprocessing, engine)
    _agree_on_sizes(augmentation, model, preprocessing)
    standardise = Standardise(preprocessing.mean, preprocessing.std).to(engine.device)
    model = engine.place(model)
    if fresh:
        pictures = lambda n: standardise(_some_pictures(source, preprocessing, n).to(engine.device))  # noqa: E731
        notes += start_weights(model, resolved.recipe.model, pictures)
        model = engine.place(model)  # all processes go on from what the first one measured
    freezing = Freezing(model, resolved.recipe.finetune)
    freezing.for_good(model)
    scale_learning_rates(model, resolved.recipe.finetune)
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
        freezing=freezing,
        notes=notes,
        average=WeightAverage(model, decay=resolved.recipe.train.ema) if resolved.recipe.train.ema else None,
    )
    check_judging(training)
    if resolved.recipe.train.compile:
        model.compile()
    part_ways(engine, resolved.recipe.seed)
    return training, Artefact(model, preprocessing, task, architecture)


def _started(resolved: ResolvedRecipe, source: DataSource, given: Given) -> ResolvedRecipe:
    """Which network, and what it starts from."""
    if given.model is None:
        return choose_start(choose_network(resolved, source), source)
    weights = resolved.recipe.model.weights
    if weights == "auto":
        return resolved.choose("model.weights", "none", "your own network starts as it was passed")
    if weights != "none":
        raise RecipeError(
            f"model.weights={weights} is not loaded into a module that was passed in Python. Load them into it before, "
            "or name the network in the recipe (model=my_net.py:Net)."
        )
    return resolved


def _agree_on_masks(source: DataSource, model: nn.Module) -> None:
    """Masks are not made for a network that has no use for them; one that learns them must be given some.

    Raises:
        RecipeError: the network learns masks, and the objects have none.
    """
    wanted = getattr(model, "masks", None) is not None
    for dataset in (source.train, source.validation, source.test):
        if dataset is not None and hasattr(dataset, "with_masks"):
            dataset.with_masks = wanted
    if wanted and not getattr(source.train, "has_masks", True):
        raise RecipeError(
            f"{type(model).__name__} learns masks, and not every object of this data has an outline. Take a detector "
            "without masks, such as faster_rcnn_light, or outline all objects (osler data says which have none)."
        )


def _agree_on_sizes(augmentation: Augmentation, model: nn.Module, preprocessing: Preprocessing) -> None:
    """No batch is drawn smaller than the network can see.

    Raises:
        RecipeError: one might be.
    """
    needed = getattr(model, "minimum_size", 1)
    for transform in augmentation.batch:
        if isinstance(transform, MultiScale) and min(transform.smallest(preprocessing.size)) < needed:
            height, width = transform.smallest(preprocessing.size)
            raise RecipeError(
                f"data.augment.multi_scale may draw pictures of {height}x{width}, and {type(model).__name__} needs "
                f"{needed}x{needed} or larger: set it lower, or model.size higher."
            )


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
    settle("train.optimizer", lambda: choose_optimizer(model))
    _refuse_idle_momentum(resolved)
    settle("train.precision", lambda: engines.choose_precision(train().device, cost, train().optimizer))
    settle("train.memory_format", lambda: engines.choose_memory_format(model, train().optimizer))
    _refuse_for_lbfgs(resolved)
    processes = launched_processes()
    settle("train.batch_size", lambda: engines.choose_batch_size(len(source.train), preprocessing.size, processes))
    settle("train.workers", lambda: engines.choose_workers(source.in_memory, local_processes()))
    moves_trained = resolved.recipe.model.weights != "none" and resolved.recipe.finetune.freeze != "backbone"
    settle("train.lr", lambda: choose_lr(train().optimizer, trained=moves_trained))
    settle("train.weight_decay", lambda: choose_weight_decay(train().optimizer))
    return resolved


def _refuse_idle_momentum(resolved: ResolvedRecipe) -> None:
    """What a person set is obeyed or refused: a momentum that the optimiser does not have would be neither."""
    optimizer = resolved.recipe.train.optimizer
    if resolved.origin("train.momentum").who == "person" and optimizer not in ("momentum", "nesterov"):
        raise RecipeError(
            f"train.momentum was set, but train.optimizer={optimizer} takes none of it. Use momentum or nesterov, or leave it out."
        )


def _refuse_for_lbfgs(resolved: ResolvedRecipe) -> None:
    """L-BFGS sees all gradients as one contiguous vector, and evaluates the loss several times an update."""
    reasons = {
        "train.memory_format": ("channels_last", "it sees all gradients as one vector", "contiguous"),
        "train.precision": ("float16", "its line search cannot take scaled gradients", "float32 or bfloat16"),
    }
    for key, (value, reason, instead) in reasons.items():
        if resolved.recipe.train.optimizer == "lbfgs" and resolved.value(key) == value:
            raise RecipeError(f"{key}={value} is not possible for the optimiser lbfgs: {reason}. Use {instead}.")


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
        one_way=source.one_way,
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
    return colour_components(sample.image for sample in readable_samples(source.train, COLOUR_PICTURES))


def _some_pictures(source: DataSource, preprocessing: Preprocessing, at_most: int) -> Tensor:
    """Some training pictures without augmentation, spread evenly over the set."""
    fit, rng = FitTo(preprocessing), np.random.default_rng(0)
    pictures = np.stack([fit(s, rng).image for s in readable_samples(source.train, at_most)])
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
