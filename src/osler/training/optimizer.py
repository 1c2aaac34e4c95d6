"""Optimisers by name: PyTorch's own, with the field's defaults, decay on weights only, and the cheapest implementation.

The options of each are declared below; `choices.py` has learning rates and decays. Of PyTorch's implementations `fused`
runs a step in one call per group and is elementwise, hence deterministic; on a CPU it takes about half the time of the
others for Adam on a small perceptron and a third or less on a deep network (`benchmarks/optimizer_step.py`).
"""

from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

import torch
from annotated_types import Ge, Gt, Lt
from pydantic import Field, model_validator
from torch import nn
from torch.optim import Optimizer

from osler.structures.errors import RecipeError
from osler.structures.section import Section
from osler.training.choices import (
    choose_lr,
    choose_optimizer,
    choose_weight_decay,
    has_sparse_gradients,
    scaled_lr,
    usual_values,
)
from osler.training.options import read_options
from osler.training.parameter_groups import parameter_groups
from osler.training.section import TrainSection

Rate = Annotated[float, Ge(0), Lt(1)]
Positive = Annotated[float, Gt(0)]

FUSED_ON = ("cpu", "cuda")  # of the devices that Osler serves, those with fused kernels for all four classes


class SgdOptions(Section):
    """Plain stochastic gradient descent has none."""


class MomentumOptions(Section):
    """Of heavy-ball momentum (Polyak 1964)."""

    dampening: Rate = Field(0.0, description="share of each new gradient that is left out")


class NesterovOptions(Section):
    """Nesterov's momentum (Sutskever et al. 2013) has none."""


class AdagradOptions(Section):
    """Of AdaGrad (Duchi et al. 2011)."""

    lr_decay: Annotated[float, Ge(0)] = Field(
        0.0, description="further decay of the learning rate: lr / (1 + lr_decay * step)"
    )
    initial_accumulator_value: Annotated[float, Ge(0)] = Field(0.0, description="start of the sum of squared gradients")
    eps: Positive = Field(1e-10, description="added to the root")


class RmspropOptions(Section):
    """Of RMSProp (Tieleman & Hinton 2012, lecture 6.5: a decay of 0.9, where PyTorch's default is 0.99)."""

    alpha: Rate = Field(0.9, description="decay of the mean squared gradient")
    eps: Positive = Field(1e-8, description="added to the root")
    momentum: Rate = Field(0.0, description="momentum of the scaled step")
    centered: bool = Field(
        False, description="divide by the standard deviation rather than the root mean square (Graves 2013)"
    )


class AdamOptions(Section):
    """Of Adam (Kingma & Ba 2015, algorithm 1)."""

    betas: tuple[Rate, Rate] = Field(
        (0.9, 0.999), description="decays of the mean gradient and of the mean squared gradient"
    )
    eps: Positive = Field(1e-8, description="added to the root")
    amsgrad: bool = Field(False, description="divide by the largest mean square so far (Reddi et al. 2018)")


class LbfgsOptions(Section):
    """Of L-BFGS (Nocedal & Wright 2006, algorithm 7.5). One update may evaluate the loss several times."""

    max_iter: Annotated[int, Gt(0)] = Field(20, description="iterations in an update")
    max_eval: Annotated[int, Gt(0)] | None = Field(
        None, description="evaluations of the loss in an update; none: 1.25 max_iter"
    )
    tolerance_grad: Annotated[float, Ge(0)] = Field(1e-7, description="largest gradient at which an update ends")
    tolerance_change: Annotated[float, Ge(0)] = Field(
        1e-9, description="change of loss or weights at which an update ends"
    )
    history_size: Annotated[int, Gt(0)] = Field(
        10, description="pairs of steps and gradient changes that are remembered"
    )
    line_search_fn: Literal["strong_wolfe"] | None = Field(
        "strong_wolfe", description="strong_wolfe, or none: steps of lr"
    )

    @model_validator(mode="after")
    def _room_to_evaluate(self) -> "LbfgsOptions":
        if self.max_eval is not None and self.max_eval < self.max_iter:
            raise ValueError(
                f"max_eval {self.max_eval} leaves less than one evaluation for each of max_iter {self.max_iter}"
            )
        return self


Maker = Callable[..., Optimizer]

# name: (PyTorch's class, its options, what the name fixes)
OPTIMIZERS: dict[str, tuple[Maker, type[Section], dict[str, Any]]] = {
    "sgd": (torch.optim.SGD, SgdOptions, {}),
    "momentum": (torch.optim.SGD, MomentumOptions, {}),
    "nesterov": (torch.optim.SGD, NesterovOptions, {"nesterov": True}),
    "adagrad": (torch.optim.Adagrad, AdagradOptions, {}),
    "rmsprop": (torch.optim.RMSprop, RmspropOptions, {}),
    "adam": (torch.optim.Adam, AdamOptions, {}),
    "adamw": (torch.optim.AdamW, AdamOptions, {}),
    "lbfgs": (torch.optim.LBFGS, LbfgsOptions, {}),
}


def build_optimizer(section: TrainSection, module: nn.Module, *, batch_size: int) -> Optimizer:
    """The optimiser that a `train` section asks for, over the trainable parameters of a module.

    The module may have an attribute `lr_scales`: patterns of parameter names with multipliers of the learning rate.
    Build it after the module is on its device. An `auto` that is still in the section is chosen here as `choices.py`
    does.

    Args:
        section: names, learning rate, momentum, weight decay, options.
        module: whose parameters move; frozen ones are left out.
        batch_size: pictures in an update, all processes and accumulated batches together; `lr_scaling` follows it.

    Raises:
        RecipeError: an unknown optimiser or option, an impossible value, or nothing trainable.
    """
    name = choose_optimizer(module)[0] if section.optimizer == "auto" else section.optimizer
    usual_values(name)  # an unknown name is refused here
    make, declared, fixed = OPTIMIZERS[name]
    _refuse_keys(section.optimizer_options, declared)
    options = read_options(
        declared, section.optimizer_options, key="train.optimizer_options", owner=f"the optimiser {name}"
    )
    lr = choose_lr(name)[0] if section.lr == "auto" else section.lr
    lr = scaled_lr(lr, batch_size=batch_size, rule=section.lr_scaling, reference=section.lr_batch_size)
    decay = choose_weight_decay(name)[0] if section.weight_decay == "auto" else section.weight_decay
    arguments = {**options.model_dump(), **fixed}
    if name in ("momentum", "nesterov"):
        arguments["momentum"] = _momentum(name, section.momentum)
    if name == "lbfgs":
        return make(_lbfgs_parameters(section, module, decay), lr=lr, **arguments)
    groups = parameter_groups(module, lr=lr, weight_decay=decay, split=decay > 0 or section.l1 > 0)
    return make(groups, lr=lr, **arguments, **_implementation(name, module))


def _refuse_keys(options: Mapping[str, Any], declared: type[Section]) -> None:
    for key in {"lr", "momentum", "weight_decay"} & set(options) - set(declared.model_fields):
        raise RecipeError(f"train.optimizer_options: {key} is a key of its own. Write train.{key}={options[key]}.")


def _momentum(name: str, momentum: float) -> float:
    if momentum == 0:
        raise RecipeError(
            f"train.momentum = 0 is not possible for the optimiser {name}: it needs more than 0. Use optimizer=sgd."
        )
    return momentum


def _lbfgs_parameters(section: TrainSection, module: nn.Module, decay: float) -> list[nn.Parameter]:
    """All trainable parameters: L-BFGS keeps one history for all of them and can treat none apart."""
    for key, given in (("weight_decay", decay), ("l1", section.l1)):
        if given:
            raise RecipeError(
                f"train.{key} = {given} is not possible for the optimiser lbfgs, whose memory of curvature it breaks."
            )
    if getattr(module, "lr_scales", {}):
        raise RecipeError(
            "lr_scales are not possible for the optimiser lbfgs: it takes one step for all parameters together."
        )
    (group,) = parameter_groups(module, lr=1.0, weight_decay=0.0, split=False)
    found: list[nn.Parameter] = group["params"]
    return found


def _implementation(name: str, module: nn.Module) -> dict[str, bool]:
    """The fastest deterministic implementation of a step for these parameters."""
    if name == "rmsprop":  # PyTorch has no fused one; foreach only pays on an accelerator, where it is the default
        return {}
    kinds = {p.device.type for p in module.parameters() if p.requires_grad}
    floats = all(p.is_floating_point() for p in module.parameters() if p.requires_grad)
    return {"fused": floats and kinds <= set(FUSED_ON) and not has_sparse_gradients(module)}
