"""The command line: each command reads its words, calls one verb, and shows the answer.

Nothing heavy is imported before a verb is called: `osler --help` answers at once.
"""

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from osler.cli import data

app = typer.Typer(
    help="Osler: train on your own pictures, understand the network, find what is wrong, and ship.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WORDS = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE.yaml] [key=value]...", help="a recipe file, and values over it", show_default=False
    ),
]


@app.command()
def train(
    words: WORDS = None,
    out: Annotated[
        Path | None, typer.Option(help="the run's folder, free or empty; else the next free one under runs/")
    ] = None,
    resume: Annotated[
        Path | None, typer.Option(metavar="RUN", help="go on with a run from its last checkpoint")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="print the recipe that would run, and stop")] = False,
    try_: Annotated[bool, typer.Option("--try", help="one batch through every stage, nothing kept")] = False,
    overfit: Annotated[
        int | None, typer.Option(metavar="N", help="can it learn N samples by heart? nothing kept")
    ] = None,
    heal: Annotated[
        bool, typer.Option("--heal", help="mend in the recipe what the doctor finds in short trials, then train")
    ] = False,
    find_lr: Annotated[bool, typer.Option("--find-lr", help="learning-rate range test; writes lr.png")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print nothing but errors")] = False,
) -> None:
    """Train a network: osler train data=photos model=resnet18 train.epochs=5 (with no words: on handwritten digits)."""
    from osler.cli import training

    recipe, overrides = _recipe_and_words(words)
    training.run(
        training.Request(recipe, overrides, out, resume, quiet),
        show=show,
        try_=try_,
        overfit=overfit,
        find_lr=find_lr,
        heal=heal,
    )


@app.command()
def evaluate(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's folder or a .safetensors file")],
    words: Annotated[list[str] | None, typer.Argument(metavar="[data=...]", show_default=False)] = None,
    split: Annotated[str, typer.Option(help="auto, train, validation, test or all")] = "auto",
    json_file: Annotated[Path | None, typer.Option("--json", help="write the numbers there")] = None,
) -> None:
    """The metrics of a run on other data: osler evaluate runs/photos-resnet18-1 data=more_photos."""
    from osler.cli import answering

    answering.show_evaluation(run, words or [], split, json_file)


@app.command()
def predict(
    run: Annotated[str, typer.Argument(metavar="RUN", help="a run's folder or a .safetensors file")],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="files, folders, globs")],
    out: Annotated[Path | None, typer.Option(help="write the answers there: .json or .csv")] = None,
    draw: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="write the pictures with their answers there")
    ] = None,
) -> None:
    """A run's answers for pictures: osler predict runs/photos-resnet18-1 cat.jpg 'holiday/*.jpg'."""
    from osler.cli import answering

    answering.show_predictions(run, pictures, out, draw)


app.add_typer(data.app, name="data")


@app.command()
def inspect(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="a name, my_net.py:Net, or a run's folder")],
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[key=value]...", help="options of the network: width=0.5", show_default=False),
    ] = None,
    size: Annotated[str | None, typer.Option(metavar="SIDE", help="of the picture: 224 or 224x320 (HxW)")] = None,
    channels: Annotated[int | None, typer.Option(min=1, help="of the picture", show_default="3")] = None,
    classes: Annotated[
        int | None, typer.Option(min=1, help="outputs of a network given by its name", show_default="1000")
    ] = None,
    depth: Annotated[
        int | None, typer.Option(min=0, help="parts of a layer's name to show; 0: every layer", show_default="60 rows")
    ] = None,
    worked: Annotated[bool, typer.Option("--worked", help="with the formulas worked out")] = False,
    on: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DEVICE", help="estimate its latency: t4, jetson-orin-nano, coral, all", show_default=False
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write everything there; - for here")] = None,
    markdown: Annotated[Path | None, typer.Option(help="write the table there; - for here")] = None,
    svg: Annotated[Path | None, typer.Option(help="draw the network there")] = None,
    backprop: Annotated[
        bool, typer.Option("--backprop", help="work a small network's backpropagation by hand instead, in numbers")
    ] = False,
    sample: Annotated[
        list[Path] | None, typer.Option(metavar="PICTURE", help="for --backprop; else random ones", show_default=False)
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="write --backprop there: .html, .tex or .txt", show_default=False),
    ] = None,
) -> None:
    """What each layer gives, sees and costs: osler inspect resnet50 --size 224 --svg resnet50.svg."""
    from osler.cli import inspect as command

    request = command.Request(model, words or [], size, channels, classes)
    if backprop:
        sys.exit(command.work(request, sample or [], out or []))
    command.run(
        request,
        command.Answer(depth, worked, on or [], json_file, markdown, svg),
    )


@app.command()
def models(
    pattern: Annotated[str, typer.Argument(help="a name or a pattern, such as 'resnet*'")] = "*",
) -> None:
    """The networks that can be named: those that classify, then the detectors."""
    from osler.models.registry import list_detectors, list_models

    for name in (*list_models(pattern), *list_detectors(pattern)):
        typer.echo(name)


@app.command()
def doctor(
    target: Annotated[
        str, typer.Argument(metavar="TARGET", help="a training script, a run's folder, or key=value words of a recipe")
    ],
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[-- ARGUMENTS]", help="the script's own arguments, or further words", show_default=False
        ),
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="write the diagnosis there")] = None,
    page: Annotated[Path | None, typer.Option("--html", help="write it there as a page, with heat maps")] = None,
    budget: Annotated[str | None, typer.Option(help="of script and trials together: 60s, 5m, 1h")] = None,
    prove: Annotated[
        bool,
        typer.Option(
            "--prove", help="try the remedies in copies or short trainings, and say what helped: a diff, or words"
        ),
    ] = False,
    save: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="with --prove: write the mended script or recipe there", show_default=False),
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="print only what the script prints")] = False,
) -> None:
    """What is wrong with a training: osler doctor train.py -- --epochs 3 (exit status 1: sick)."""
    from osler.cli import doctor as command

    sys.exit(command.run(target, words or [], command.Wanted(json_file, page, budget, prove, save, quiet)))


@app.command()
def explain(
    fault: Annotated[str, typer.Argument(help="a fault's name; without one all are listed")] = "",
) -> None:
    """A fault that the doctor tells: symptom, cause, evidence, remedies, sources."""
    from osler.cli import doctor as command

    command.explain(fault)


def _version(wanted: bool) -> None:
    if wanted:
        from osler import __version__

        typer.echo(f"osler {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    pass


def _recipe_and_words(words: list[str] | None) -> tuple[str | None, list[str]]:
    """A first word without `=` is a recipe file."""
    words = list(words or [])
    if words and "=" not in words[0]:
        return words[0], words[1:]
    return None, words


def _leave(message: str) -> NoReturn:
    typer.echo(f"osler: {message}", err=True)
    sys.exit(2)


def main() -> None:
    """The command `osler`. What a person can put right is said in a sentence, with exit status 2."""
    from osler.structures.errors import OslerError

    try:
        app()
    except OslerError as error:
        _leave(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # whoever read our output has gone
            sys.stderr.close()
            sys.exit(0)
        _leave(f"{error.filename}: {error.strerror}." if error.filename else f"{error}.")
    except (RuntimeError, MemoryError) as error:
        from osler.training.memory import is_out_of_memory

        if not is_out_of_memory(error):
            raise
        _leave(f"memory ran out ({str(error).splitlines()[0][:160] if str(error) else 'the machine has no more'}).")
    except KeyboardInterrupt:
        typer.echo("osler: stopped by Ctrl-C.", err=True)
        sys.exit(130)
