"""Search for networks by reinforcement: a recurrent controller proposes them and learns from what they were worth.

Zoph and Le 2017, "Neural architecture search with reinforcement learning", sections 3.1 and 3.2: an LSTM takes one
decision after the other, each seeing those before; its parameters follow the gradient of the expected reward
(REINFORCE, Williams 1992), less a baseline that is the moving average of earlier rewards.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from osler.lab.architecture_space import Reward, Space, Trial
from osler.lab.plain_training import seeded

IDLE = 50  # rounds without a new trial after which the controller proposes only what is not allowed


class Controller(nn.Module):
    """A distribution over architectures; at the start every option of a decision is equally likely.

    Args:
        decisions: the number of options of each.
        hidden: units of the LSTM.
    """

    def __init__(self, decisions: tuple[int, ...], hidden: int = 32) -> None:
        super().__init__()
        self.start = nn.Parameter(0.1 * torch.randn(hidden))
        self.taken = nn.ModuleList(nn.Embedding(count, hidden) for count in decisions)
        self.cell = nn.LSTMCell(hidden, hidden)
        self.heads = nn.ModuleList(nn.Linear(hidden, count) for count in decisions)
        for head in self.heads:
            for parameter in head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, count: int) -> tuple[Int[Tensor, "count decisions"], Float[Tensor, " count"]]:
        """Draws `count` architectures: the numbers of their options, and the logarithm of each one's probability."""
        seen, state = self.start.expand(count, -1), None
        choices, likelihood = [], torch.zeros(count)
        for taken, head in zip(self.taken, self.heads, strict=True):
            state = self.cell(seen, state)
            logs = log_softmax(head(state[0]), dim=1)
            choice = torch.multinomial(logs.exp(), 1)
            choices.append(choice)
            likelihood = likelihood + logs.gather(1, choice)[:, 0]
            seen = taken(choice[:, 0])
        return torch.cat(choices, dim=1), likelihood


def reinforced_search(
    space: Space, reward: Reward, *, trials: int, batch: int = 4, rate: float = 0.02, keep: float = 0.8, seed: int = 0
) -> list[Trial]:
    """Tries what the controller proposes, and teaches it after every batch.

    What the space does not allow is never trained: it is worth 0 to the controller, and no trial.

    Args:
        space: what may be tried.
        reward: trains and judges; above 0.
        trials: architectures trained.
        batch: proposals between two updates.
        rate: of Adam. The paper's 0.0006 is for 12,800 networks; a search of a hundred must learn faster.
        keep: of the baseline at each update.
        seed: of the controller and its choices.

    Returns:
        The whole history, in order; shorter than `trials` only when nothing more is proposed that is allowed.
    """
    history: list[Trial] = []
    with seeded(seed):
        controller = Controller(tuple(len(options) for options in space.decisions))
        optimizer = torch.optim.Adam(controller.parameters(), lr=rate)
        baseline, idle = None, 0
        while len(history) < trials and idle < IDLE:
            choices, likelihood = controller(min(batch, trials - len(history)))
            before = len(history)
            rewards = torch.tensor([float(_worth(space, reward, row, history)) for row in choices.tolist()])
            idle = 0 if len(history) > before else idle + 1
            mean = float(rewards.mean())
            baseline = mean if baseline is None else baseline
            optimizer.zero_grad()
            (-(rewards - baseline) * likelihood).mean().backward()
            optimizer.step()
            baseline = keep * baseline + (1 - keep) * mean
    return history


def _worth(space: Space, reward: Reward, row: list[int], history: list[Trial]) -> float:
    """The reward of the options with these numbers; a trial is written into the history."""
    architecture = tuple(options[i] for options, i in zip(space.decisions, row, strict=True))
    if not space.allows(architecture):
        return 0.0
    history.append(Trial(architecture, reward(architecture)))
    return history[-1].reward
