"""How many channels a network has when it is made wider or narrower."""


def divisible(channels: float, divisor: int = 8) -> int:
    """The multiple of `divisor` that is nearest, at least one, and never less than 90 % of `channels`.

    Whole multiples keep the hardware's vectors full, and the 90 % keep narrow networks from losing a tenth of a layer
    to rounding (the rule of MobileNetV2's authors, Sandler et al. 2018).
    """
    rounded = max(divisor, int(channels + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * channels else rounded


def scaled(channels: int, width: float, divisor: int = 8) -> int:
    """`channels` times `width`, as a multiple of `divisor`; at exactly 1 the channels stay as they are.

    Args:
        channels: of the network at width 1, above 0.
        width: multiplier, above 0.
        divisor: above 0.
    """
    return channels if width == 1 else divisible(channels * width, divisor)
