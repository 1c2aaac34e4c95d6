"""A Run's folder: recipe.yaml, run.db, checkpoints/, figures/, report.html."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from osler.structures.errors import OslerError
from osler.training.recipe import ResolvedRecipe
from osler.training.recipe_file import read_recipe
from osler.training.store import Store


class NoRunError(OslerError, FileNotFoundError):
    """A path does not hold a run."""


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Where everything of a run lies."""

    path: Path
    made: tuple[Path, ...] | None = (
        None  # the folders that `create` made, outermost first; None: the run was there before
    )

    @property
    def recipe_path(self) -> Path:
        """The resolved recipe."""
        return self.path / "recipe.yaml"

    @property
    def last(self) -> Path:
        """The checkpoint from which the run goes on."""
        return self.path / "checkpoints" / "last.pt"

    @property
    def best(self) -> Path:
        """The weights that validated best, with all that is needed to use them."""
        return self.path / "checkpoints" / "best.safetensors"

    @property
    def estimator(self) -> Path:
        """The scikit-learn estimator on the network's features, where there is one."""
        return self.path / "checkpoints" / "estimator.skops"

    @property
    def report(self) -> Path:
        """The report."""
        return self.path / "report.html"

    def store(self) -> Store:
        """The metrics, opened."""
        return Store(self.path / "run.db")

    def recipe(self) -> ResolvedRecipe:
        """The resolved recipe, read."""
        return read_recipe(self.recipe_path)

    @classmethod
    def create(cls, path: Path | None, name: str) -> "RunFolder":
        """A new folder: `path`, which must be free or empty, or the next free number of `name` under runs/.

        Raises:
            NoRunError: `path` holds something already, or nothing can be written there.
        """
        if path is None:
            return cls._next_free(re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run")
        try:
            _refuse_full(path)
            missing = _missing(path)
            path.mkdir(parents=True, exist_ok=True)
        except NoRunError:
            raise
        except OSError as error:
            raise NoRunError(f"No run can be written at {path}: {error.strerror or error}.") from None
        return cls(path, missing)

    @classmethod
    def _next_free(cls, stem: str) -> "RunFolder":
        for number in range(1, 1_000_000):
            free = Path("runs") / f"{stem}-{number}"
            missing = _missing(free)
            try:
                free.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                place = free.parent.absolute()
                raise NoRunError(
                    f"No run can be written under {place}: {error.strerror or error}. Use --out."
                ) from None
            return cls(free, missing)
        raise NoRunError("There are a million runs under runs/ already.")

    @contextmanager
    def removed_unless_begun(self) -> Iterator[None]:
        """Where what is done within fails before the first checkpoint, a new run is taken away: nothing could go on from it."""
        try:
            yield
        except BaseException:
            if self.made is not None and not self.last.exists() and not self.best.exists():
                self._remove()
            raise

    def _remove(self) -> None:
        """Removes what a run writes into a folder that was empty when it came. Files that others put there since stay."""
        for place in (self.path / "checkpoints", self.path / "tensorboard"):
            shutil.rmtree(place, ignore_errors=True)
        for name in ("recipe.yaml", "run.db", "run.db-wal", "run.db-shm", "metrics.csv", "doctor.json", "doctor.html"):
            (self.path / name).unlink(missing_ok=True)
        self.remove_empty()

    def remove_empty(self) -> None:
        """Removes the folders that `create` made, as far as nothing lies in them."""
        for folder in reversed(self.made or ()):
            with suppress(OSError):  # one that is not empty is somebody's
                folder.rmdir()

    @classmethod
    def existing(cls, path: str | Path) -> "RunFolder":
        """The run at `path`.

        Raises:
            NoRunError: there is none; the message names those beside it.
        """
        folder = Path(path)
        if (folder / "recipe.yaml").is_file():
            return cls(folder)
        around = folder if folder.is_dir() else folder.parent if folder.parent.is_dir() else Path("runs")
        runs = sorted(p.parent for p in around.glob("*/recipe.yaml")) if around.is_dir() else []
        hint = f" Runs near it: {', '.join(map(str, runs[-5:]))}." if runs else ""
        raise NoRunError(f"{folder} is not a run: it has no recipe.yaml.{hint}")


def _refuse_full(path: Path) -> None:
    """A run shares its folder with nothing, so that what it writes and removes is its own."""
    if not path.is_dir() or not any(path.iterdir()):
        return
    if (path / "recipe.yaml").exists() or (path / "run.db").exists():
        raise NoRunError(f"{path} holds a run already. Resume it with --resume {path}, or choose another --out.")
    raise NoRunError(f"{path} is not empty, and a run needs a folder of its own: choose another --out.")


def _missing(path: Path) -> tuple[Path, ...]:
    """The folders on the way to `path` that are not there yet, outermost first, itself last."""
    return tuple(folder for folder in (*reversed(path.parents), path) if not folder.exists())
