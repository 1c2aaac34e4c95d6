"""Writes docs/images/doctor.svg, what `osler doctor examples/sick_digits.py --prove` says, by running it (a minute)."""

import io
import re
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

import osler
from osler.doctor.terminal import print_diagnosis

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "doctor.svg"
SCRIPT = "examples/sick_digits.py"


def main() -> None:
    """Runs the doctor on the example and draws its answer as a terminal."""
    console = Console(record=True, width=104, file=io.StringIO(), force_terminal=True, highlight=False)
    console.print(Text.assemble(("$ ", "dim"), (f"osler doctor {SCRIPT} --prove", "bold")))
    examination = osler.examine(SCRIPT, prove=True, say=print)
    print_diagnosis(examination.diagnosis, console)
    drawing = console.export_svg(title="osler doctor", theme=MONOKAI)
    PICTURE.write_text(
        re.sub(r"@font-face \{.*?\}\s*", "", drawing, flags=re.DOTALL), encoding="utf-8"
    )  # it asks no network
    print(f"Written: {PICTURE.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
