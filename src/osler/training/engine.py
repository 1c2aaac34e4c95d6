"""The engine: which device, precision and memory format a run computes with, and how several processes agree.

On one device it adds nothing to PyTorch's own calls. Under `torchrun` Lightning Fabric starts the processes and owns the
collectives; gradients are averaged once per update, which serves any number of models, steps and optimisers alike
(docs/decisions/0003-engine.md).
"""

import os
import platform
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from osler.structures.errors import TrainingError
from osler.training.float32_convolutions import SomeConvolutionsInFloat32
from osler.training.section import TrainSection

# Below this many multiply-adds for a picture, casting to bfloat16 costs more than it saves (benchmarks/precision.py).
WORTH_BFLOAT16 = 3_000_000

DTYPES = {"float32": None, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device() -> tuple[str, str]:
    """The fastest device there is, and the reason."""
    if torch.cuda.is_available():
        return "cuda", f"{torch.cuda.get_device_name()} is there"
    if torch.backends.mps.is_available():
        return "mps", "an Apple GPU is there"
    return "cpu", "no accelerator is there"


def processor_has_bfloat16() -> bool:
    """Whether this processor multiplies bfloat16 natively (AVX512-BF16 or AMX, Armv8.6 BF16)."""
    if platform.system() != "Linux":
        return False
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            words = next((set(line.split()) for line in file if line.startswith(("flags", "Features"))), set())
    except OSError:
        return False
    return bool({"avx512_bf16", "amx_bf16", "bf16"} & words)


def choose_precision(device: str, multiply_adds: int, optimizer: str = "") -> tuple[str, str]:
    """The precision of the forward pass on a device for a network of so many multiply-adds per picture, and the reason."""
    kind = torch.device(device).type
    if kind == "cuda":
        if torch.cuda.is_bf16_supported():
            return "bfloat16", "the GPU computes it natively"
        if optimizer == "lbfgs":
            return "float32", "the GPU has no bfloat16, and L-BFGS cannot take the scaled gradients of float16"
        return "float16", "the GPU has no bfloat16"
    if kind != "cpu":
        return "float32", f"the safe choice on {kind}"
    if not processor_has_bfloat16():
        return "float32", "this processor has no bfloat16"
    if multiply_adds < WORTH_BFLOAT16:
        return "float32", f"{multiply_adds / 1e6:.1f} M multiply-adds a picture are too few for bfloat16 to pay"
    return (
        "bfloat16",
        f"this processor computes it natively, and {multiply_adds / 1e6:.0f} M multiply-adds a picture are worth it",
    )


def choose_memory_format(model: nn.Module, optimizer: str = "") -> tuple[str, str]:
    """Channels-last where convolutions are, unless the optimiser cannot take it; and the reason."""
    if optimizer == "lbfgs":
        return "contiguous", "L-BFGS sees all gradients as one vector"
    if any(isinstance(m, nn.Conv2d) for m in model.modules()):
        return "channels_last", "convolutions read pixels with their channels side by side"
    return "contiguous", "the network has no convolution"


def choose_batch_size(pictures: int, size: tuple[int, int], processes: int = 1) -> tuple[int, str]:
    """Pictures in an update: enough updates an epoch for a small set, full vector units for a large one; and the reason.

    Each process gets a power of two of them, which can be halved evenly when memory runs out.
    """
    pixels = size[0] * size[1]
    wanted = 128 if pictures >= 10_000 else 64 if pictures >= 2_000 else 32 if pictures >= 200 else 16
    fits = 128 if pixels <= 128 * 128 else 64 if pixels <= 256 * 256 else 16
    each = 1 << (max(1, min(wanted, fits) // processes).bit_length() - 1)
    among = f", {each} for each of {processes} processes" if processes > 1 else ""
    return each * processes, f"{pictures} training pictures of {size[0]}x{size[1]}{among}"


def choose_workers(in_memory: bool, local_world: int = 1) -> tuple[int, str]:
    """Loader processes for one of `local_world` training processes on this machine, and the reason."""
    if in_memory:
        return 0, "the pictures are in memory"
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    there = "there is 1 core" if cores == 1 else f"there are {cores} cores"
    return max(1, min(8, cores // local_world)), f"pictures are decoded, and {there}"


@dataclass(slots=True)
class Engine:
    """Where and how precisely a run computes."""

    device: torch.device
    precision: torch.dtype | None = None  # of autocast; None: float32
    memory_format: torch.memory_format = torch.contiguous_format
    rank: int = 0
    world: int = 1
    fabric: Any = None  # lightning_fabric.Fabric, with several processes
    scaler: torch.amp.GradScaler | None = None  # float16 only

    @property
    def leads(self) -> bool:
        """Whether this process writes files and prints."""
        return self.rank == 0

    def place(self, module: nn.Module) -> nn.Module:
        """The module on the device in its memory format, with the weights of the first process in all of them."""
        module.to(self.device, memory_format=self.memory_format)  # type: ignore[call-overload]
        if self.world > 1:
            if self.device.type == "cuda":
                module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
            for tensor in (*module.parameters(), *module.buffers()):
                tensor.data.copy_(self.fabric.broadcast(tensor.data))
        return module

    @contextmanager
    def autocast(self) -> Iterator[None]:
        """The context in which forward passes run."""
        if self.precision is None:
            yield
            return
        depthwise = SomeConvolutionsInFloat32() if self.device.type == "cpu" else nullcontext()
        with torch.autocast(self.device.type, self.precision), depthwise:
            yield

    def backward(self, loss: Tensor) -> None:
        """Backpropagation of a loss, scaled where float16 needs it."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def laid_out(self, images: Tensor) -> Tensor:
        """Pictures in the memory format of the weights: a convolution computes in that of its input."""
        return images.contiguous(memory_format=self.memory_format)

    def average_gradients(self, parameters: Iterable[nn.Parameter], loss: Tensor, samples: int) -> Tensor:
        """The mean over the pictures of all processes of each gradient, in place, and of the loss, which is returned.

        One message for all of them and for the counts: the last batch of an epoch may have a picture more in one process
        than in another.
        """
        if self.world == 1:
            return loss
        gradients = [p.grad for p in parameters if p.grad is not None]
        own = torch.cat([*(g.reshape(-1) for g in gradients), loss.detach().reshape(1), loss.new_ones(1)])
        total = self.fabric.all_reduce(own * samples, reduce_op="sum")
        *means, mean_loss, _ = (total / total[-1]).split([*(g.numel() for g in gradients), 1, 1])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view_as(gradient))
        return mean_loss.view_as(loss)

    def weighted_mean(self, values: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
        """The mean of values over all processes, and the sums of their weights; 0 where these are 0."""
        if self.world == 1:
            return values, weights
        weights = weights.to(values.device)
        sums, weights = self.fabric.all_reduce(torch.stack([values * weights, weights]), reduce_op="sum")
        return torch.where(weights > 0, sums / weights, 0.0), weights

    def average_statistics(self, model: nn.Module) -> None:
        """Running statistics of batch norms become the mean over all processes, other buffers those of the first, in place."""
        if self.world == 1:
            return
        norms = [m for m in model.modules() if isinstance(m, _BatchNorm)]
        statistics = [b for m in norms for b in (m.running_mean, m.running_var) if b is not None]
        if statistics:
            flat = self.fabric.all_reduce(torch.cat([b.reshape(-1) for b in statistics]), reduce_op="mean")
            for buffer, mean in zip(statistics, flat.split([b.numel() for b in statistics]), strict=True):
                buffer.copy_(mean.view_as(buffer))
        averaged = set(map(id, statistics))
        others = [b for b in model.buffers() if id(b) not in averaged]
        for buffer, first in zip(others, self.share([b.cpu() for b in others]), strict=True):
            buffer.copy_(first)

    def gather(self, thing: Any) -> list[Any]:
        """A plain object of every process, in order of rank."""
        if self.world == 1:
            return [thing]
        everyone: list[Any] = [None] * self.world
        torch.distributed.all_gather_object(everyone, thing)
        return everyone

    def share(self, thing: Any) -> Any:
        """The first process' object, in every process."""
        return thing if self.world == 1 else self.fabric.broadcast(thing)

    def barrier(self) -> None:
        """Waits until every process is here."""
        if self.world > 1:
            self.fabric.barrier()


def launched_processes() -> int:
    """How many processes `torchrun` (or another launcher) started for this run."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def local_processes() -> int:
    """How many of them are on this machine and share its cores."""
    return int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def build_engine(section: TrainSection) -> Engine:
    """The engine that a resolved `train` section asks for.

    Raises:
        TrainingError: the device is not there.
    """
    device = _checked_device(section.device)
    format_ = torch.channels_last if section.memory_format == "channels_last" else torch.contiguous_format
    engine = Engine(device, DTYPES[section.precision], format_)
    if section.precision == "float16":
        engine.scaler = torch.amp.GradScaler(device.type)
    if launched_processes() > 1:
        _join_processes(engine)
    return engine


def _checked_device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise TrainingError(f"train.device={name} is not there: {first} Use device=auto, cpu, cuda or mps.") from None
    return device


def _join_processes(engine: Engine) -> None:
    from lightning_fabric import Fabric

    here = local_processes()
    fabric = Fabric(
        accelerator=engine.device.type,
        devices=here,
        num_nodes=launched_processes() // here,
        strategy="ddp",
    )
    fabric.launch()
    engine.fabric, engine.rank, engine.world = fabric, fabric.global_rank, fabric.world_size
    engine.device = fabric.device
