"""How many channels a network has when it is made wider or narrower."""


def scaled(channels: int, width: float, divisor: int = 8) -> int:
    """`channels` times `width`, as a multiple of `divisor`: the nearest, but never less than 90 % of the exact product.

    Whole multiples keep the hardware's vectors full, and the 90 % keep narrow networks from losing a tenth of a layer
    to rounding (Sandler et al. 2018, "MobileNetV2", the authors' published networks).

    Args:
        channels: of the network at width 1, above 0.
        width: multiplier, above 0. At exactly 1 the channels stay as they are.
        divisor: above 0.
    """
    if width == 1:
        return channels
    exact = channels * width
    rounded = max(divisor, int(exact + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * exact else rounded
