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
        """A new folder: `path`, which must not hold a run yet, or the next free number of `name` under runs/.

        Raises:
            NoRunError: `path` holds a run already, or nothing can be written there.
        """
        if path is not None:
            if (path / "recipe.yaml").exists() or (path / "run.db").exists():
                raise NoRunError(
                    f"{path} holds a run already. Resume it with --resume {path}, or choose another --out."
                )
            try:
                path.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise NoRunError(f"No run can be written at {path}: {error.strerror or error}.") from None
            return cls(path)
        stem = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
        for number in range(1, 1_000_000):
            free = Path("runs") / f"{stem}-{number}"
            try:
                free.mkdir(parents=True)
            except FileExistsError:
                continue
            except OSError as error:
                place = free.parent.absolute()
                raise NoRunError(
                    f"No run can be written under {place}: {error.strerror or error}. Use --out."
                ) from None
            return cls(free)
        raise NoRunError("There are a million runs under runs/ already.")

    @contextmanager
    def removed_unless_begun(self) -> Iterator[None]:
        """Where what is done within fails before the first checkpoint, the run is taken away: nothing could go on from it."""
        try:
            yield
        except BaseException:
            if not self.last.exists() and not self.best.exists():
                self._remove()
            raise

    def _remove(self) -> None:
        """Removes what a run writes. Other files, and a folder that holds any, stay."""
        for place in (self.path / "checkpoints", self.path / "tensorboard"):
            shutil.rmtree(place, ignore_errors=True)
        for name in ("recipe.yaml", "run.db", "run.db-wal", "run.db-shm", "metrics.csv"):
            (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):  # a folder that is not empty is somebody's
            self.path.rmdir()
            if self.path.parent == Path("runs"):
                self.path.parent.rmdir()

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
