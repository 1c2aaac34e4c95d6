"""Runs a person's script, unmodified, under a watch.

Nothing here imports PyTorch: the watch is installed at the moment at which the script has imported it, so that what
the script sets before (threads, devices) keeps its effect.
"""

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import threading
import traceback
import types
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from osler.vitals.evidence import Ending, Evidence
    from osler.vitals.watch import Watch

LINES_KEPT = 2_000
LATER = 0.05  # seconds after an import in which a signal waited
AGAIN = 1.0  # seconds after which a script that swallowed the end of its budget is told again


class BudgetSpent(BaseException):
    """The time that was given is over. No `Exception`, so that few programs swallow it."""


@dataclass(slots=True)
class ScriptRun:
    """A script's run and what was seen of it; no watch if it never imported PyTorch."""

    evidence: "Evidence"
    watch: "Watch | None"
    namespace: dict[str, Any]
    exit_code: int


def run_script(path: str | Path, arguments: Sequence[str] = (), *, budget: float | None = None) -> ScriptRun:
    """Runs the file as `python path arguments` would, in this process, and watches it.

    Its output is passed through. `sys.exit`, errors and Ctrl-C end the script, not us; `budget` (seconds) ends an
    endless one. Afterwards `sys.argv`, `sys.path`, the folder and `__main__` are as before.

    Raises:
        OSError: the file cannot be read.
    """
    path = Path(path)
    source = path.read_text(encoding="utf-8")
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    main.__builtins__ = __builtins__  # type: ignore[attr-defined]
    with _as_main(main, path, arguments), _watching() as watched, _lines_kept() as lines, _warnings_kept() as warned:
        ending = _execute(source, path, main, budget, watched)
        watch = watched[0] if watched else None
    from osler.vitals.evidence import Evidence

    evidence = watch.finish() if watch is not None else Evidence()
    evidence.script, evidence.source = str(path), source
    evidence.ending = ending
    evidence.printed = lines.kept
    evidence.warnings = warned
    return ScriptRun(evidence, watch, main.__dict__, ending.code)


def _execute(source: str, path: Path, main: types.ModuleType, budget: float | None, watched: list[Any]) -> "Ending":
    ended: dict[str, Any] = {}
    try:
        with _limited(budget):
            exec(compile(source, str(path), "exec"), main.__dict__)
    except SystemExit as leaving:
        code = leaving.code
        if isinstance(code, str):
            print(code, file=sys.stderr)
        ended = {"how": "exited", "code": code if isinstance(code, int) else int(code is not None)}
    except BudgetSpent:
        ended = {"how": "budget"}
    except KeyboardInterrupt:
        ended = {"how": "interrupted", "code": 130}
    except BaseException as error:
        ended = _crashed(error, watched)
    from osler.vitals.evidence import Ending

    return Ending(**ended)


def _crashed(error: BaseException, watched: list[Any]) -> dict[str, Any]:
    """What Python would print, printed, and kept with the line and the layers that were running."""
    own = error.__traceback__
    while own is not None and Path(own.tb_frame.f_code.co_filename).parent == Path(__file__).parent:
        own = own.tb_next
    text = "".join(traceback.format_exception(type(error), error, own))
    sys.stderr.write(text)
    from osler.vitals.sites import frame_site, is_persons

    site, place = None, own
    while place is not None:
        if is_persons(place.tb_frame.f_code.co_filename):
            site = frame_site(place.tb_frame)._replace(line=place.tb_lineno)
        place = place.tb_next
    if site is None and isinstance(error, SyntaxError) and error.lineno:
        from osler.vitals.evidence import Site

        site = Site(str(error.filename), error.lineno)
    layers = tuple(watched[0].modules.running_names()) if watched else ()
    return {
        "how": "crashed",
        "code": 1,
        "error": f"{type(error).__name__}: {error}",
        "traceback": text,
        "site": site,
        "layers": layers,
    }


# ---- the surroundings of the run


@contextmanager
def _as_main(main: types.ModuleType, path: Path, arguments: Sequence[str]) -> Iterator[None]:
    before = sys.modules.get("__main__"), sys.argv, list(sys.path), Path.cwd()
    sys.modules["__main__"], sys.argv = main, [str(path), *arguments]
    sys.path.insert(0, str(path.resolve().parent))
    try:
        yield
    finally:
        if before[0] is not None:
            sys.modules["__main__"] = before[0]
        sys.argv, sys.path[:] = before[1], before[2]
        os.chdir(before[3])


@contextmanager
def _watching() -> Iterator[list["Watch"]]:
    """A list that holds the watch once PyTorch is there."""
    watched: list[Watch] = []

    def begin() -> None:
        from osler.vitals.watch import Watch

        watch = Watch()
        watch.install()
        watched.append(watch)
        gc.freeze()  # what was imported stays: else our objects, many and small, have it all searched again and again

    finders = [_ImportedWhole("numpy"), _ImportedWhole("torch", begin)]
    if "torch" in sys.modules:
        begin()
    else:
        sys.meta_path[:0] = finders
    try:
        yield watched
    finally:
        sys.meta_path[:] = [finder for finder in sys.meta_path if finder not in finders]
        for watch in watched:
            watch.uninstall()
            gc.unfreeze()


class _ImportedWhole(importlib.abc.MetaPathFinder):
    """Lets nothing interrupt the import of a module, which the checks need as well, and calls back once it is there."""

    def __init__(self, name: str, callback: Callable[[], None] = lambda: None) -> None:
        self._name, self._callback = name, callback

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        """Python's own spec, whose loader calls back afterwards."""
        if fullname != self._name:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def exec_module(module: types.ModuleType) -> None:
            with _undisturbed():
                execute(module)
                self._callback()

        spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C and the end of the budget wait until the end: what is imported by half cannot be imported again."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    numbers = [signal.SIGINT, *([signal.SIGALRM] if hasattr(signal, "SIGALRM") else [])]
    handlers = {n: handler for n in numbers if callable(handler := signal.getsignal(n))}
    for number in handlers:
        signal.signal(number, lambda given, _: came.append(given))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:  # a little later: raised in here, it would make Python throw away what was just imported
            threading.Timer(LATER, os.kill, (os.getpid(), came[0])).start()


@contextmanager
def _limited(seconds: float | None) -> Iterator[None]:
    """Raises `BudgetSpent` in the main thread when the time is over; without a limit, or where no timer is, nothing."""
    usable = (
        seconds is not None and hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    )
    if not usable or seconds is None:
        yield
        return

    def over(number: int, frame: Any) -> None:
        raise BudgetSpent

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Tee:
    """Passes text through and keeps the first and last lines."""

    def __init__(self, under: Any) -> None:
        self._under = under
        self._part = ""
        self._first: list[str] = []
        self._last: list[str] = []

    @property
    def kept(self) -> list[str]:
        """The first and the last 2,000 lines."""
        rest = [self._part] if self._part else []
        return [*self._first, *self._last[-LINES_KEPT:], *rest]

    def write(self, text: str) -> int:
        """As of the stream below."""
        self._under.write(text)
        *lines, self._part = (self._part + text).split("\n")
        for line in lines:
            kept = self._first if len(self._first) < LINES_KEPT else self._last
            kept.append(line.rpartition("\r")[2][:400])
        if len(self._last) > 2 * LINES_KEPT:
            del self._last[:LINES_KEPT]
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._under, name)


@contextmanager
def _lines_kept() -> Iterator[_Tee]:
    before = sys.stdout
    tee = _Tee(before)
    sys.stdout = cast("Any", tee)
    try:
        yield tee
    finally:
        if sys.stdout is tee:
            sys.stdout = before
        before.flush()


@contextmanager
def _warnings_kept() -> Iterator[list[Any]]:
    """Warnings are shown as ever, and kept."""
    kept: list[Any] = []
    before = warnings.showwarning

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        if len(kept) < 200:
            from osler.vitals.evidence import Site

            kept.append((f"{category.__name__}: {message}"[:500], Site(filename, lineno)))
        before(message, category, filename, lineno, file, line)

    warnings.showwarning = show
    try:
        yield kept
    finally:
        if warnings.showwarning is show:
            warnings.showwarning = before
