"""What a forward pass costs: multiply-adds, counted operator by operator, without computing anything where there are no weights."""

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(model: nn.Module, channels: int, size: tuple[int, int]) -> int:
    """Multiply-adds of the convolutions and matrix products for one picture; 0 when the model cannot be run on a bare picture.

    A model on the `meta` device is counted from its shapes alone.
    """
    was_training = model.training
    model.eval()
    parameter = next(model.parameters(), torch.empty(0))
    try:
        with torch.inference_mode(), FlopCounterMode(display=False) as counter:
            model(torch.zeros(1, channels, *size, device=parameter.device, dtype=parameter.dtype))
    except Exception:  # a person's model may want targets, or several inputs: its cost is then unknown
        return 0
    finally:
        model.train(was_training)
    return counter.get_total_flops() // 2
