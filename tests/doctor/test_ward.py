"""The ward: scripts that are known to be sick, mended or healthy. Every tenth is examined here, all of them when tests may be slow.

The figures that count are those of `benchmarks/ward.py`; here a script that was judged rightly must go on to be.
"""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SHARED = Path(__file__).parents[2].parent / "shared"
WARD = SHARED / "doctor" / "ward"
SCRIPTS = sorted(WARD.glob("*.py"))
LABELS = json.loads((WARD / "labels.json").read_text(encoding="utf-8")) if SCRIPTS else {}
LINES_OFF = 2  # the finding's line may be so far from the label's
LOOKED_AT = 2  # of the findings that count, so many may be the right one
HASH_OF_WEIGHTS = """
import atexit as _atexit, hashlib as _hashlib
from torch.optim.optimizer import register_optimizer_step_post_hook as _after_step
_digest = _hashlib.sha256()
def _add(optimizer, args, kwargs):
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            _digest.update(parameter.detach().contiguous().cpu().numpy().tobytes())
_after_step(_add)
_atexit.register(lambda: print("\\nweights", _digest.hexdigest()))
"""

pytestmark = pytest.mark.skipif(not SCRIPTS, reason="../shared/doctor/ward is not here")


def names(scripts: list[Path]) -> list[str]:
    return [script.stem for script in scripts]


def examined(script: Path, folder: Path) -> dict[str, Any]:
    """What `osler doctor` answers."""
    file = folder / "answer.json"
    run([str(Path(sys.executable).with_name("osler")), "doctor", str(script), "--json", str(file), "--quiet"], folder)
    answer: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return answer


def run(command: list[str], folder: Path) -> str:
    environment = {**os.environ, "WARD_DATA": str(SHARED / "data"), "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout


def assert_judged_rightly(script: Path, folder: Path) -> None:
    """A sick script is named and located; any other is called healthy."""
    answer = examined(script, folder)
    name, _, kind = script.stem.rpartition(".")
    counted = [f for f in answer["findings"] if f["severity"] != "note"]
    if kind != "sick":
        assert answer["verdict"] != "sick", [f["fault"] for f in counted]
        return
    label = LABELS[name]
    assert answer["verdict"] == "sick"
    named = [f for f in counted[:LOOKED_AT] if f["fault"] in {*label["faults"], *label["also_right"]}]
    assert named, [f["fault"] for f in counted]
    assert any(is_at(f["where"], label) for f in named), [f["where"] for f in named]


def is_at(where: dict[str, Any], label: dict[str, Any]) -> bool:
    line = where.get("line")
    near = line is not None and any(abs(line - wanted) <= LINES_OFF for wanted in label["lines"])
    return near or where.get("layer") in label["layers"]


@pytest.mark.parametrize("script", SCRIPTS[::10], ids=names(SCRIPTS[::10]))
def test_every_tenth_script_is_judged_rightly(script: Path, tmp_path: Path) -> None:
    assert_judged_rightly(script, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "script", [s for s in SCRIPTS if s not in SCRIPTS[::10]], ids=names([s for s in SCRIPTS if s not in SCRIPTS[::10]])
)
def test_the_others_are_judged_rightly(script: Path, tmp_path: Path) -> None:
    assert_judged_rightly(script, tmp_path)


CLEAN = [script for script in SCRIPTS if script.stem.endswith(".clean")]


@pytest.mark.slow
@pytest.mark.parametrize("script", CLEAN, ids=names(CLEAN))
def test_losses_and_weights_of_a_clean_script_are_the_same_under_the_doctor(script: Path, tmp_path: Path) -> None:
    copy = tmp_path / script.name
    copy.write_text(with_hash(script.read_text(encoding="utf-8")), encoding="utf-8")
    plain = run([sys.executable, str(copy)], tmp_path)
    osler = str(Path(sys.executable).with_name("osler"))
    watched = run([osler, "doctor", str(copy), "--quiet", "--json", "answer.json"], tmp_path)
    assert "weights" in plain
    assert plain == watched


def with_hash(source: str) -> str:
    """The script, which prints a digest of all weights after every update when it ends."""
    body = ast.parse(source).body
    first = 0
    for node in body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not docstring and not (isinstance(node, ast.ImportFrom) and node.module == "__future__"):
            break
        first = node.end_lineno or 0
    lines = source.splitlines(keepends=True)
    return "".join(lines[:first]) + HASH_OF_WEIGHTS + "".join(lines[first:])
