"""Networks at work: who is called, in which mode, on what, and at sampled steps what each layer puts out and gets back.

Only hooks that PyTorch calls for every module are used, and hooks on outputs for the gradients: nothing is put on the
person's modules, so that copies and saved files of them are theirs alone.
"""

import math
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules import module as torch_module

from osler.vitals import events
from osler.vitals.activations import saturated_share
from osler.vitals.call_watch import CallWatch, tensors_in
from osler.vitals.evidence import LayerSample, LayerSeen, ModelSeen, Site
from osler.vitals.module_tree import Births, describe, finish, parameters
from osler.vitals.producers import LAYER, SITE, notes
from osler.vitals.sites import persons_site
from osler.vitals.state import Patches, State
from osler.vitals.summaries import between_samples, flat_units, summarise

NETWORKS_HELD = 8
CALLS_SAMPLED = 64  # of a layer within a step


class ModuleWatch:
    """The networks of a program, by the modules that are called from outside."""

    def __init__(self, state: State, births: Births, calls: CallWatch) -> None:
        self._state, self._births, self._calls = state, births, calls
        self.models: weakref.WeakKeyDictionary[nn.Module, ModelSeen] = weakref.WeakKeyDictionary()
        self._prefixes: weakref.WeakKeyDictionary[nn.Module, str] = weakref.WeakKeyDictionary()
        self._inside: weakref.WeakKeyDictionary[nn.Module, dict[int, str]] = weakref.WeakKeyDictionary()
        self._first: weakref.WeakKeyDictionary[nn.Module, dict[str, weakref.ref[Tensor]]] = weakref.WeakKeyDictionary()
        self._stray: dict[ModelSeen | int, weakref.WeakSet[nn.Module]] = {}
        self._held: list[
            nn.Module
        ] = []  # the first networks are kept, or those made in a function would be gone at the end
        self._order = 0
        self._records = False  # whether the network that runs was called with gradients
        self._handles: list[Any] = []

    def install(self, patches: Patches) -> None:
        """From now on modules are seen when they are made, put into others, and called."""
        state, births = self._state, self._births
        made, put, fresh = state.guarded(births.made), state.guarded(births.put), state.guarded(self._fresh_parameter)

        def wrap_init(original: Any) -> Any:
            def __init__(module: nn.Module, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (it stands for __init__)
                original(module, *args, **kwargs)
                made(module)

            return __init__

        patches.replace(nn.Module, "__init__", wrap_init)
        patches.replace(nn.Module, "train", self._wrap_train)
        patches.replace(nn.Module, "load_state_dict", self._wrap_load)
        self._handles = [
            torch_module.register_module_module_registration_hook(put),
            torch_module.register_module_parameter_registration_hook(fresh),
            torch_module.register_module_forward_pre_hook(state.guarded(self._before)),
            torch_module.register_module_forward_hook(state.guarded(self._after), with_kwargs=True),
        ]

    def remove(self) -> None:
        """Takes the hooks off."""
        for handle in self._handles:
            handle.remove()
            torch_module._global_forward_hooks_with_kwargs.pop(handle.id, None)  # which `remove` forgets (torch 2.13)
        self._handles.clear()

    def model_of(self, module: nn.Module) -> ModelSeen:
        """The record of a network, made at its first call."""
        if module not in self.models:
            model = describe(module, self._births)
            self.models[module] = model
            prefix = self._births.owner(module)[1]
            self._prefixes[module] = prefix
            start = f"{prefix}." if prefix else ""
            self._inside[module] = {id(m): (start + n) if n else prefix for n, m in module.named_modules()}
            self._first[module] = {start + n: weakref.ref(p) for n, p in parameters(module)}
            self._state.evidence.models.append(model)
            if len(self._held) < NETWORKS_HELD:
                self._held.append(module)
        return self.models[module]

    def named(self, module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
        """The parameters of a known network as they are now, by the names of its record."""
        prefix = self._prefixes[module]
        start = f"{prefix}." if prefix else ""
        return ((start + name, parameter) for name, parameter in parameters(module))

    def was_exchanged(self, module: nn.Module, name: str, parameter: Tensor) -> bool:
        """Whether another parameter than at the first call stands under that name, or a new one; it is said once.

        The same parameter under a new name, as after pruning, is none of these.
        """
        first = self._first[module]
        before = first.get(name)
        known = before() is parameter if before is not None else any(p() is parameter for p in first.values())
        first[name] = weakref.ref(parameter)
        return not known

    def running_names(self) -> list[str]:
        """The layers whose forward is running, outermost first: after an error, where it came up."""
        running = self._state.running
        if not running or running[0] not in self._inside:
            return []
        names = self._inside[running[0]]
        return [names[id(module)] or type(module).__name__ for module in running if id(module) in names]

    def next_order(self) -> int:
        """The place of what is called now within the first training pass."""
        self._order += 1
        return self._order - 1

    def finish(self) -> None:
        """Adds what the networks are at the end."""
        for module, model in list(self.models.items()):
            finish(model, module, self._prefixes[module])
        self._name_strays()

    # ---- hooks

    def _before(self, module: nn.Module, args: Any) -> None:
        if _in_backward():
            return
        running = self._state.running
        if not running and any(True for _ in module.parameters()):
            for look in self._state.at_forward:
                look()
            self.model_of(module)
            self._order = 0
            self._records = torch.is_grad_enabled()
        if running or module in self.models:
            running.append(module)

    def _after(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        running = self._state.running
        if _in_backward() or module not in running:
            return
        while running and running.pop() is not module:
            pass
        root = running[0] if running else module
        model = self.models[root]
        if self._state.dense and torch.is_grad_enabled():
            self._look(root, model, module, args, output)
        elif self._state.dense and self._records and (name := self._inside[root].get(id(module))) is not None:
            model.layers[name].calls_without_gradient += 1
        if not running:
            self._calls.called(model, module, args, kwargs, output)

    def _look(self, root: nn.Module, model: ModelSeen, module: nn.Module, args: Any, output: Any) -> None:
        """A layer's sample at a sampled training step."""
        name = self._inside[root].get(id(module))
        if name is None:
            name = self._register_late(root, model, module)
        layer = model.layers.get(name) if name is not None else None
        tensor = next(iter(tensors_in(output)), None)
        if layer is None or tensor is None:
            return
        layer.training = module.training
        if layer.order is None:
            layer.order = self.next_order()
        if layer.leaf or layer.parameters:
            given = next(iter(tensors_in(args)), None)
            record_output(self._state, layer, tensor, given)

    def _register_late(self, root: nn.Module, model: ModelSeen, module: nn.Module) -> str | None:
        """A module that the network did not have when it was first called: added since, or held where PyTorch cannot see."""
        for path, held in root.named_modules():
            if held is module:
                prefix = self._prefixes[root]
                full = f"{prefix}.{path}" if prefix else path
                self._inside[root][id(module)] = full
                fresh = describe(module, self._births)
                model.layers.setdefault(
                    full,
                    LayerSeen(full, fresh.kind, fresh.site, fresh.layers[""].options if "" in fresh.layers else {}),
                )
                return full
        if any(True for _ in module.parameters(recurse=False)):
            self._stray.setdefault(id(root), weakref.WeakSet()).add(module)
        return None

    def _name_strays(self) -> None:
        for root, model in list(self.models.items()):
            for module in list(self._stray.get(id(root), ())):
                model.stray[_holder(root, module) or type(module).__name__] = self._births.site(module)

    def _fresh_parameter(self, module: nn.Module, name: str, parameter: Any) -> None:
        running = self._state.running
        if running and parameter is not None and torch.is_grad_enabled() and (site := persons_site()) is not None:
            self.models[running[0]].fresh_parameters[site] += 1

    # ---- patches

    def _wrap_train(self, original: Any) -> Any:
        state = self._state
        note = state.guarded(lambda mode: state.event(events.TRAIN_MODE if mode else events.EVALUATION_MODE))
        depth = [0]

        def train(module: nn.Module, mode: bool = True) -> nn.Module:
            if depth[0] == 0:
                note(mode)
            depth[0] += 1
            try:
                return original(module, mode)
            finally:
                depth[0] -= 1

        return train

    def _wrap_load(self, original: Any) -> Any:
        loaded = self._state.guarded(self._loaded)

        def load_state_dict(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            answer = original(module, *args, **kwargs)
            loaded(module)
            return answer

        return load_state_dict

    def _loaded(self, module: nn.Module) -> None:
        for part in module.modules():
            self._births.loaded.add(part)
        for root, model in self.models.items():
            if root is module or any(part is module for part in root.modules()):
                model.loaded = True


def _in_backward() -> bool:
    """Whether autograd is running: then a checkpoint recomputes its layers, which are not called anew."""
    return bool(torch._C._current_graph_task_id() != -1)


def _holder(root: nn.Module, module: nn.Module) -> str | None:
    """The attribute, in the network, of the list or dict that holds a module."""
    for path, part in root.named_modules():
        for name, value in vars(part).items():
            if name != "_modules" and any(inner is module for each in _modules_in(value) for inner in each.modules()):
                return f"{path}.{name}" if path else name
    return None


def _modules_in(value: Any, depth: int = 3) -> Iterator[nn.Module]:
    held = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple, set)) else ()
    for each in held:
        if isinstance(each, nn.Module):
            yield each
        elif depth:
            yield from _modules_in(each, depth - 1)


def record_output(state: State, layer: LayerSeen, output: Tensor, given: Tensor | None) -> None:
    """Adds a sample of the layer's output, and asks for the gradient that comes back to it."""
    if not (output.is_floating_point() or output.is_complex()) or output.numel() == 0:
        return
    step = state.step + 1
    call = layer.samples[-1].call + 1 if layer.samples and layer.samples[-1].step == step else 0
    layer.calls += 1
    if call >= CALLS_SAMPLED:
        return
    layer.input_shape = tuple(given.shape) if given is not None else layer.input_shape
    layer.output_shape = tuple(output.shape)
    silent = _units(layer, output)
    sample = LayerSample(
        step, call, summarise(output), between_samples(output), saturated_share(layer.kind, output, given), silent
    )
    layer.samples.append(sample)
    if output.grad_fn is not None:
        notes(output.grad_fn).setdefault(LAYER, layer.name)
        if layer.site is not None and layer.order is None:
            notes(output.grad_fn).setdefault(SITE, layer.site)
    if output.requires_grad:
        output.register_hook(state.guarded(lambda gradient: _note_gradient(sample, gradient)))


def _note_gradient(sample: LayerSample, gradient: Tensor) -> None:
    if gradient.numel() == 0:
        return
    seen = summarise(gradient)
    sample.gradient_rms = math.sqrt(seen.mean**2 + seen.std**2) if not math.isnan(seen.mean) else math.nan
    sample.gradient_zeros, sample.gradient_bad = seen.zeros, seen.bad


def _units(layer: LayerSeen, output: Tensor) -> float:
    """Which units were silent or constant in this batch as in all before; returns the share that was silent in this one."""
    if output.ndim < 2 or output.shape[0] < 2 or output.is_complex():
        return math.nan
    values = output.detach()
    axis = 1 if values.ndim != 3 else 2
    silent, constant = flat_units(values, axis)
    layer.units = len(silent)
    if layer.silent_units is None or layer.constant_units is None or len(layer.silent_units) != len(silent):
        layer.silent_units, layer.constant_units = silent, constant
    else:
        layer.silent_units, layer.constant_units = layer.silent_units & silent, layer.constant_units & constant
    return float(np.mean(silent))


def function_layer(model: ModelSeen, kind: str, site: Site | None) -> LayerSeen:
    """The record of an activation that is called as a function at a line."""
    name = f"{kind} (line {site.line})" if site is not None else kind
    if name not in model.layers:
        model.layers[name] = LayerSeen(name, kind, site, {})
    return model.layers[name]
