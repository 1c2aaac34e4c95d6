"""What a search for networks on a device maximises: accuracy and speed in one number."""


def mnas_reward(accuracy: float, latency: float, *, target: float, alpha: float = -0.07, beta: float = -0.07) -> float:
    """accuracy * (latency / target) ** w (Tan et al. 2019, "MnasNet", equation 2).

    With the default exponents a network that takes twice as long must be 5 % (relative) more accurate to be worth as
    much, on either side of the target; `alpha=0, beta=-1` leaves accuracy alone within the target and punishes what is
    beyond it (figure 3 of the paper).

    Args:
        accuracy: in [0, 1], or percent.
        latency: measured, above 0, in the unit of `target`.
        target: above 0.
        alpha: w where the latency is at most the target.
        beta: w beyond it.

    Raises:
        ValueError: a latency or target that is not above 0.
    """
    if latency <= 0 or target <= 0:
        raise ValueError(f"A reward needs a latency and a target above 0; given: latency={latency}, target={target}.")
    return accuracy * (latency / target) ** (alpha if latency <= target else beta)
