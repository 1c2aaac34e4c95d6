"""The line that a person would change is found however the number gets to where it is used."""

import pytest

from osler.doctor.script_reading import ScriptReading
from osler.doctor.settings import setting_line
from osler.vitals.evidence import Site

SOURCES = {
    "number": "opt = SGD(params, lr=0.1)",
    "by place": "opt = SGD(params, 0.1)",
    "name": "RATE = 0.1\nopt = SGD(params, lr=RATE)",
    "together": "EPOCHS, RATE = 3, 0.1\nopt = SGD(params, lr=RATE)",
    "product": "RATE = 0.1\nopt = SGD(params, lr=RATE * scale)",
    "dictionary": "config = {\n    'lr': 0.1,\n    'epochs': 3,\n}\nopt = SGD(params, lr=config['lr'])",
    "keywords": "config = dict(\n    epochs=3,\n    lr=0.1,\n)\nopt = SGD(params, lr=config['lr'])",
    "flag": "p = ArgumentParser()\np.add_argument('--lr', default=0.1)\nargs = p.parse_args()\nopt = SGD(params, lr=args.lr)",
    "class": "class Config:\n    lr: float = 0.1\nopt = SGD(params, lr=Config.lr)",
    "caller": "def train(net, lr):\n    opt = SGD(net.parameters(), lr=lr)\ntrain(net, lr=0.1)",
    "default": "def train(net,\n          lr=0.1):\n    opt = SGD(net.parameters(), lr=lr)\ntrain(net)",
    "constructor": "class T:\n    def __init__(self, lr):\n        self.opt = SGD(p, lr=lr)\nT(0.1)",
    "groups": "opt = SGD([\n    {'params': a, 'lr': 0.1},\n])",
}


@pytest.mark.parametrize("way", SOURCES)
def test_the_number_is_found(way: str) -> None:
    source = SOURCES[way]
    used = next(n for n, line in enumerate(source.splitlines(), 1) if "SGD(" in line)
    written = next(n for n, line in enumerate(source.splitlines(), 1) if "0.1" in line)
    assert setting_line(ScriptReading(source), Site("program.py", used), "lr", 1, "SGD") == written


def test_what_comes_from_outside_is_found_where_it_is_used() -> None:
    script = ScriptReading("import sys\nopt = SGD(params, lr=float(sys.argv[1]))")
    assert setting_line(script, Site("program.py", 2), "lr", 1, "SGD") == 2
