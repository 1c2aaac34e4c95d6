"""An inspection takes next to no memory, whatever the size of the network."""

import os
import subprocess
import sys

import pytest

HEAD = """
import resource, sys
import torch
from torch import nn
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
import osler
"""

NAMED = "anatomy = osler.inspect('resnet152')"

# A vision transformer of 45 blocks, 6,144 wide.
LARGE = """
class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm1, self.norm2, self.act = nn.LayerNorm(width), nn.LayerNorm(width), nn.GELU()
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
    def forward(self, x):
        q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, 48, -1)).permute(2, 0, 3, 1, 4)
        x = x + self.out(nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.down(self.act(self.up(self.norm2(x))))

class Large(nn.Module):
    def __init__(self, width=6144):
        super().__init__()
        self.patch, self.place = nn.Conv2d(3, width, 14, 14), nn.Parameter(torch.zeros(1, 256, width))
        self.blocks, self.head = nn.Sequential(*(Block(width) for _ in range(45))), nn.Linear(width, 1000)
    def forward(self, x):
        return self.head(self.blocks(self.patch(x).flatten(2).transpose(1, 2) + self.place).mean(1))

with torch.device("meta"):
    model = Large()
anatomy = osler.inspect(model, 224)
assert anatomy.layer("blocks.0").sees.beyond and anatomy.layer("blocks.0").sees.size == (14, 14)
assert anatomy.unknown == {} and anatomy.training_bytes
"""

WIDTH = 6144
LARGE_SIZE = 45 * (12 * WIDTH**2 + 13 * WIDTH) + WIDTH * (3 * 14**2 + 1) + 256 * WIDTH + (WIDTH + 1) * 1000


@pytest.mark.parametrize(("code", "parameters"), [(NAMED, 60_192_808), (LARGE, LARGE_SIZE)])
def test_memory_stays_below_100_megabytes(code: str, parameters: int) -> None:
    tail = "print(peak() - before, anatomy.parameters, 'sympy' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", f"{HEAD}\n{code}\n{tail}"],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    megabytes, counted, compiler = done.stdout.split()
    assert float(megabytes) < 100
    assert int(counted) == parameters
    assert compiler == "False", "PyTorch's compiler was loaded: 75 MB and a second"
