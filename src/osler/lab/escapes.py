"""A surface with a saddle, a local and a global minimum: where gradient descent stays, and what gets out (row FB16).

f(x, y) = x^4 - 2 x^2 + 0.3 x + y^2. Saddles, not local minima, are what large networks have many of (Dauphin et al. 2014); noise
leaves them (Ge et al. 2015). The same noise can as well throw a descent out of the global minimum.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

Way = Literal["descent", "noise", "momentum", "restarts"]
Places = Float[Tensor, "seeds 2"]
WAYS: tuple[Way, ...] = ("descent", "noise", "momentum", "restarts")
RATE, STEPS, RESTARTS = 0.02, 1500, 8


def height(places: Places) -> Float[Tensor, " seeds"]:
    """f."""
    x, y = places[..., 0], places[..., 1]
    return x**4 - 2 * x**2 + 0.3 * x + y**2


def slope(places: Places) -> Places:
    """Its gradient."""
    x, y = places[..., 0], places[..., 1]
    return torch.stack([4 * x**3 - 4 * x + 0.3, 2 * y], dim=-1)


def critical_points() -> tuple[float, float, float]:
    """The global minimum, the saddle and the local minimum: their x; y is 0."""
    low, middle, high = sorted(np.roots([4, 0, -4, 0.3]).real.tolist())
    return low, middle, high


@dataclass(frozen=True, slots=True)
class Courses:
    """Trajectories, one for each seed."""

    way: Way
    path: Float[Tensor, "steps seeds 2"]

    @property
    def ends(self) -> Places:
        """Where they end."""
        return self.path[-1]

    def rate(self, x: float, *, within: float = 0.2) -> float:
        """The share of seeds that end beside this critical point."""
        return float(((self.ends - torch.tensor([x, 0.0], dtype=torch.float64)).norm(dim=1) < within).double().mean())


def from_saddle(way: Way, *, seeds: int = 50) -> Courses:
    """All start exactly on the ridge above the saddle, where the gradient leads into it."""
    ridge = torch.tensor([critical_points()[1], 1.0], dtype=torch.float64)
    return _courses(way, ridge.expand(seeds, 2), noise=0.1)


def from_local_side(way: Way, *, seeds: int = 50) -> Courses:
    """All start at random on the slope that leads into the local minimum; restarts start anywhere, and the lowest end counts."""
    generator = torch.Generator().manual_seed(0)
    if way == "restarts":
        starts = 4 * torch.rand(RESTARTS, seeds, 2, generator=generator, dtype=torch.float64) - 2
        tries = [_courses("descent", start).path for start in starts]
        best = torch.stack([height(path[-1]) for path in tries]).argmin(0)
        path = torch.stack(tries)[best, :, torch.arange(seeds)].transpose(0, 1)
        return Courses(way, path)
    starts = torch.rand(seeds, 2, generator=generator, dtype=torch.float64) + torch.tensor([1.0, -0.5])
    return _courses(way, starts, noise=12.0)


def _courses(way: Way, start: Places, *, noise: float = 0.0) -> Courses:
    """Steps of one rate; noise is added to the gradient and dies out linearly; momentum keeps 0.97 of the last step."""
    generator = torch.Generator().manual_seed(1)
    place, velocity, path = start.clone(), torch.zeros_like(start), [start.clone()]
    for step in range(STEPS):
        gradient = slope(place)
        if way == "noise":
            drawn = torch.randn(place.shape, generator=generator, dtype=torch.float64)
            gradient = gradient + noise * max(0.0, 1 - 1.25 * step / STEPS) * drawn
        velocity = (0.97 if way == "momentum" else 0.0) * velocity + gradient
        place = place - (RATE / 4 if way == "momentum" else RATE) * velocity
        path.append(place.clone())
    return Courses(way, torch.stack(path))
