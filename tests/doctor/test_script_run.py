"""A script under the doctor behaves as it does alone: arguments, folder, exit, errors, workers, output; and ends at its budget."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

OSLER = str(Path(sys.executable).with_name("osler"))
TRAINING = """
import torch
from torch import nn
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
opt = torch.optim.Adam(net.parameters(), lr=1e-2)
x = torch.randn(256, 4)
y = x[:, :3].argmax(1)
for step in range({steps}):
    opt.zero_grad()
    loss = nn.functional.cross_entropy(net(x), y)
    loss.backward()
    opt.step()
"""


def run(folder: Path, source: str, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    (folder / "train.py").write_text(source)
    command = [OSLER, "doctor", "train.py", "--json", "answer.json", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120, **options)  # type: ignore[call-overload,no-any-return]


def answer(folder: Path) -> dict[str, object]:
    return json.loads((folder / "answer.json").read_text())  # type: ignore[no-any-return]


def test_arguments_folder_and_main_are_as_without_the_doctor(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "neighbour.py").write_text("WORD = 'found'\n")
    source = """
import os, sys
import neighbour
print(sys.argv[1:], __name__, os.path.basename(__file__), neighbour.WORD)
os.chdir("elsewhere")
if __name__ == "__main__":
    print("main", "torch" in sys.modules)
"""
    result = run(tmp_path, source, "--quiet", "--", "--epochs", "3")
    assert result.stdout.splitlines() == ["['--epochs', '3'] __main__ train.py found", "main False"]
    assert result.returncode == 0
    assert answer(tmp_path)["verdict"] == "healthy"


def test_a_script_without_training_says_so(tmp_path: Path) -> None:
    result = run(tmp_path, "import torch\nprint(torch.ones(2).sum())\n")
    assert "no training to look at" in " ".join(result.stdout.split())
    assert result.returncode == 0


def test_sys_exit_is_passed_through_and_findings_still_come(tmp_path: Path) -> None:
    source = TRAINING.format(steps=20) + "\nimport sys\nsys.exit('done')\n"
    result = run(tmp_path, source)
    assert result.stderr.strip().endswith("done")
    assert "left by sys.exit(1)" in result.stdout
    assert answer(tmp_path)["ending"] == "exited"


def test_a_crash_is_reported_with_its_own_traceback(tmp_path: Path) -> None:
    source = TRAINING.format(steps=2) + "\nnet(torch.randn(2, 5))\n"
    result = run(tmp_path, source)
    assert result.returncode == 1
    assert "RuntimeError" in result.stderr
    assert 'File "train.py", line' in result.stderr
    assert "script_run.py" not in result.stderr
    assert answer(tmp_path)["ending"] == "crashed"


def test_an_endless_script_stops_at_its_budget(tmp_path: Path) -> None:
    began = time.monotonic()
    result = run(tmp_path, TRAINING.format(steps=10**9), "--budget", "4s")
    assert "was stopped when its budget was spent" in " ".join(result.stdout.split())
    assert time.monotonic() - began < 60
    assert answer(tmp_path)["ending"] == "budget"


def test_ctrl_c_still_gives_the_findings_so_far(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("print('go', flush=True)\n" + TRAINING.format(steps=10**9))
    process = subprocess.Popen(
        [OSLER, "doctor", "train.py", "--json", "answer.json"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    time.sleep(4)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert "was interrupted" in out
    assert answer(tmp_path)["ending"] == "interrupted"


@pytest.mark.parametrize("module", ["numpy", "torch"])
def test_ctrl_c_while_a_library_is_imported_waits_for_its_end(tmp_path: Path, module: str) -> None:
    source = f"""
import os, signal, sys, threading, time
def meddle():
    while "{module}" not in sys.modules:
        pass
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=meddle).start()
import {module}
print("imported whole", hasattr({module}, "tensor") or hasattr({module}, "array"), flush=True)
time.sleep(30)
"""
    result = run(tmp_path, source)
    assert "Traceback" not in result.stderr
    assert "imported whole True" in result.stdout
    assert "was interrupted" in " ".join(result.stdout.split())
    assert answer(tmp_path)["ending"] == "interrupted"


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_loader_workers_work(tmp_path: Path, method: str) -> None:
    source = f"""
import torch
from torch.utils.data import DataLoader, TensorDataset

def main():
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(64, 4), torch.randint(3, (64,)))
    net = torch.nn.Linear(4, 3)
    opt = torch.optim.SGD(net.parameters(), lr=0.1)
    for x, y in DataLoader(data, 16, num_workers=1, multiprocessing_context="{method}"):
        opt.zero_grad()
        torch.nn.functional.cross_entropy(net(x), y).backward()
        opt.step()
    print("weights", net.weight.sum().item())

if __name__ == "__main__":
    main()
"""
    result = run(tmp_path, source, "--quiet")
    alone = subprocess.run([sys.executable, "train.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert result.stdout == alone.stdout


def test_threads_set_before_torch_keep_their_effect(tmp_path: Path) -> None:
    source = "import os\nos.environ['OMP_NUM_THREADS'] = '1'\nimport torch\nprint(torch.get_num_threads())\n"
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    assert run(tmp_path, source, "--quiet", env=environment).stdout == "1\n"
