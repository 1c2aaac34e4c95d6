"""The `train` section of a recipe."""

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Lt
from pydantic import Field

from osler.structures.section import Section

Count = Annotated[int, Ge(0)]
Amount = Annotated[float, Ge(0)]


class TrainSection(Section):
    """How the network is fitted. `auto` values are chosen once, with a reason, and frozen into the run's recipe."""

    epochs: Annotated[int, Gt(0)] = Field(
        20,
        description="passes over the training pictures; a run that goes on with another number has from there the learning "
        "rates of a run of that length",
    )
    batch_size: Annotated[int, Gt(0)] | Literal["auto"] = Field(
        "auto", description="pictures in a batch, all processes together; an update takes `accumulate` of them"
    )
    accumulate: Annotated[int, Gt(0)] = Field(
        1, description="batches whose gradients make one update: of batch_size x accumulate pictures"
    )

    optimizer: str = Field(
        "auto", description="sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, lbfgs; auto: by the network"
    )
    optimizer_options: dict[str, Any] = Field(
        {}, description="further arguments of the optimiser, e.g. {betas: [0.9, 0.95]}"
    )
    lr: Annotated[float, Gt(0)] | Literal["auto"] = Field(
        "auto", description="learning rate; auto: the optimiser's usual one"
    )
    lr_scaling: Literal["none", "linear", "sqrt"] = Field(
        "none",
        description="how lr follows batch_size/lr_batch_size: linear (Goyal et al. 2017), sqrt (Krizhevsky 2014)",
    )
    lr_batch_size: Annotated[int, Gt(0)] = Field(
        256, description="the batch size for which lr is meant, under lr_scaling"
    )
    momentum: Annotated[float, Ge(0), Lt(1)] = Field(0.9, description="of momentum and nesterov")
    weight_decay: Amount | Literal["auto"] = Field(
        "auto", description="L2 on weights; never on biases and norm parameters"
    )
    l1: Amount = Field(0.0, description="L1 on weights: proximal (soft-threshold) step after each update")

    schedule: Literal["constant", "step", "multistep", "cosine", "onecycle", "polynomial", "plateau"] = Field(
        "cosine", description="course of the learning rate, by update (plateau: by epoch)"
    )
    schedule_options: dict[str, Any] = Field(
        {}, description="e.g. {step: 30, gamma: 0.1}, {milestones: [60, 80]}, {power: 2}"
    )
    warmup: Amount = Field(0.0, description="epochs over which lr rises linearly from a thousandth; fractions allowed")

    clip_norm: Amount = Field(0.0, description="largest gradient norm; 0: no clipping")
    clip_value: Amount = Field(0.0, description="largest gradient value; 0: no clipping")
    ema: Annotated[float, Ge(0), Lt(1)] = Field(
        0.0, description="decay of the moving average of the weights, evaluated instead of them; 0: off"
    )
    patience: Count = Field(
        0, description="epochs without improvement of the monitored metric until the run stops; 0: never"
    )
    monitor: str = Field("auto", description="validation metric that picks the best checkpoint; auto: the task's")

    device: str = Field("auto", description="cpu, cuda, cuda:1, mps; auto: the fastest there is")
    precision: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto", description="of the forward pass (autocast)"
    )
    memory_format: Literal["auto", "contiguous", "channels_last"] = Field("auto", description="of pictures and weights")
    compile: bool = Field(False, description="torch.compile the network")
    workers: Count | Literal["auto"] = Field("auto", description="loader processes; 0: in this one")
    deterministic: bool = Field(True, description="take kernels whose result does not vary from run to run")
    log: tuple[Literal["csv", "tensorboard"], ...] = Field(("csv",), description="further records beside run.db")
    doctor: bool = Field(
        True, description="watch the training and say what is wrong with it: doctor.html in the run's folder"
    )
    checkpoint_every: Count = Field(0, description="updates between checkpoints; 0: at the end of each epoch")
