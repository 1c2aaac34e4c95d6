"""`osler data PATH` and `osler data convert SOURCE DEST`: a group of commands of which the first needs no name."""

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

UNNAMED = "show"


class Group(TyperGroup):
    """Commands, one of which is meant where the first word is no command's name."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The words, with the unnamed command's name put before them where none is named."""
        if not args or (args[0] not in self.commands and args[0] not in ctx.help_option_names):
            args = [UNNAMED, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Group,
    help="What a data set holds, and what is wrong with it: osler data PATH. In another form of annotations: osler data convert.",
)
WORDS = Annotated[list[str] | None, typer.Argument(metavar="[key=value]...", show_default=False)]


@app.command(UNNAMED)
def show(
    path: Annotated[str, typer.Argument(help="a folder, a CSV, JSON or YAML file, or a known set's name")] = "digits",
    words: WORDS = None,
) -> None:
    """What a data set holds, and what is wrong with it (osler data PATH means the same)."""
    from osler.cli import answering

    answering.show_data(path, words or [])


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="a folder, a file of annotations, or digits-in-the-wild")],
    dest: Annotated[Path, typer.Argument(help="a folder that is not there or empty")],
    words: WORDS = None,
    to: Annotated[str, typer.Option("--to", help="coco, voc, yolo or csv")] = "coco",
) -> None:
    """Pictures with boxes in another form: osler data convert cells cells-coco --to coco."""
    from osler.cli import answering

    answering.show_conversion(source, dest, to, words or [])
