"""How sharp a minimum is: the largest eigenvalue of the Hessian, from Hessian-vector products alone (row OP16)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from osler.lab.digits_halves import digits_halves
from osler.lab.small_training import mlp, train_digits
from osler.training.section import TrainSection

Product = Callable[[Float[Tensor, " weights"]], Float[Tensor, " weights"]]


def hessian_product(loss: Tensor, module: nn.Module) -> Product:
    """The function v -> H v, by differentiating the gradient's product with v (Pearlmutter 1994)."""
    parameters = tuple(module.parameters())
    gradients = torch.autograd.grad(loss, parameters, create_graph=True)
    flat = torch.cat([g.flatten() for g in gradients])

    def product(vector: Float[Tensor, " weights"]) -> Float[Tensor, " weights"]:
        rows = torch.autograd.grad(flat, parameters, vector, retain_graph=True)
        return torch.cat([r.flatten() for r in rows])

    return product


def top_eigenvalue(product: Product, size: int, *, iterations: int = 40, seed: int = 0) -> float:
    """The largest eigenvalue of a symmetric matrix given by its products: Lanczos' iteration, fully reorthogonalised.

    Unlike power iteration it finds the largest, not the largest in size, and needs few products (Golub & Van Loan 2013,
    chapter 10).
    """
    vector = torch.randn(size, generator=torch.Generator().manual_seed(seed))
    basis, diagonal, off = [vector / vector.norm()], [], list[float]()
    for _ in range(min(iterations, size)):
        following = product(basis[-1])
        diagonal.append(float(following @ basis[-1]))
        known = torch.stack(basis)
        for _ in range(2):  # twice is enough
            following = following - known.T @ (known @ following)
        norm = float(following.norm())
        if norm < 1e-6 * max(abs(d) for d in diagonal):
            break
        off.append(norm)
        basis.append(following / norm)
    n = len(diagonal)
    small = torch.diag(torch.tensor(diagonal)) + torch.diag(torch.tensor(off[: n - 1]), 1)
    return float(torch.linalg.eigvalsh(small, UPLO="U")[-1])


def sharpness(module: nn.Module) -> float:
    """The largest eigenvalue of the Hessian of the mean loss over the training half of the digits."""
    data = digits_halves()
    product = hessian_product(cross_entropy(module(data.inputs), data.labels), module)
    return top_eigenvalue(product, sum(p.numel() for p in module.parameters()))


def sharpness_by_batch_size(
    batch_sizes: tuple[int, ...] = (8, 898), *, updates: int = 3000, lr: float = 0.1, seed: int = 0
) -> dict[int, float]:
    """The sharpness at which equally many updates end, by batch size (Keskar et al. 2017).

    Small batches are noisy and settle where it is flat: only wide minima hold an iteration that is thrown about; a
    full batch slides down to where 2 / lr stops it.
    """
    found = {}
    for size in batch_sizes:
        network = mlp(seed=seed)
        epochs = max(1, round(updates * size / 898))
        section = TrainSection(
            epochs=epochs, batch_size=size, optimizer="sgd", lr=lr, weight_decay=0, schedule="constant"
        )
        train_digits(network, section, seed=seed)
        found[size] = sharpness(network)
    return found
