"""How much of a recurrent network's answer depends on what came first: the gradient of its output, step by step of its input."""

from typing import Any

RECURRENT = ("RNN", "LSTM", "GRU")
LONGEST = 2_000


def trial(call: Any) -> dict[str, Any] | None:
    """Root mean square of the gradient at the first and at the last quarter of the steps of the first recurrent layer.

    Modules of PyTorch's run all steps in one call, so that what comes back to their outputs does not show it.
    """
    import torch

    found = next(((n, m) for n, m in call.module.named_modules() if type(m).__name__ in RECURRENT), None)
    if found is None or call.samples < 1:
        return None
    name, layer = found
    kept: dict[str, Any] = {}

    def before(module: Any, args: Any) -> Any:
        if "input" in kept or not isinstance(args[0], torch.Tensor):
            return None
        kept["input"] = args[0].detach().requires_grad_(True)
        return (kept["input"], *args[1:])

    def after(module: Any, args: Any, output: Any) -> None:
        from osler.vitals.call_watch import tensors_in

        made = next(iter(tensors_in(output)), None)
        if "input" not in kept or made is None or not made.requires_grad:
            return
        weights = torch.linspace(-1.0, 1.3, made.numel(), device=made.device, dtype=made.dtype).view_as(made)
        (kept["gradient"],) = torch.autograd.grad((made * weights).sum(), kept["input"], allow_unused=True)

    handles = [layer.register_forward_pre_hook(before), call.module.register_forward_hook(after)]
    try:
        with torch.enable_grad():
            call(training=True)
    finally:
        for handle in handles:
            handle.remove()
    gradient = kept.get("gradient")
    if gradient is None or gradient.ndim != 3:
        return None
    time = 1 if layer.batch_first else 0
    steps = gradient.shape[time]
    if not 4 <= steps <= LONGEST:
        return None
    sizes = gradient.detach().double().pow(2).mean([d for d in range(3) if d != time]).sqrt()
    part = max(1, steps // 4)
    return {"layer": name, "steps": steps, "first": float(sizes[:part].mean()), "last": float(sizes[-part:].mean())}
