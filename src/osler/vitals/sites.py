"""Which line of the person's program is running."""

import os
import sys
import sysconfig
from functools import cache
from types import FrameType

from osler.vitals.evidence import Site

_LIBRARIES = tuple(
    os.path.realpath(path) + os.sep
    for path in {
        *sysconfig.get_paths().values(),
        os.path.dirname(os.path.dirname(os.path.dirname(__file__))) + "/osler",
    }
)


@cache
def is_persons(filename: str) -> bool:
    """Whether the file is the person's own: neither an installed library's, nor Python's, nor ours."""
    if filename.startswith("<"):
        return filename.startswith("<ipython") or filename == "<stdin>"
    real = os.path.realpath(filename)
    inside_library = real.startswith(_LIBRARIES) or "site-packages" in real or "dist-packages" in real
    return not inside_library


@cache
def _shown(filename: str) -> str:
    near = os.path.relpath(filename)
    return filename if near.startswith("..") else near


def persons_frame(frame: FrameType | None) -> FrameType | None:
    """The innermost frame of the person's program, from `frame` outwards."""
    while frame is not None and not is_persons(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def persons_site() -> Site | None:
    """The line of the person's program that is running, however deep in libraries the call has got."""
    frame = persons_frame(sys._getframe(1))
    return frame_site(frame) if frame is not None else None


def calling_line(libraries: tuple[str, ...]) -> tuple[str, int]:
    """The file and line of the innermost frame outside of these folders, whoever's it is."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(libraries):
        frame = frame.f_back
    return (frame.f_code.co_filename, frame.f_lineno) if frame is not None else ("", 0)


def frame_site(frame: FrameType) -> Site:
    """A frame's line."""
    code = frame.f_code
    return Site(_shown(code.co_filename), frame.f_lineno, code.co_qualname)


def name_in_program(value: object, among: tuple[str, ...] = ()) -> str | None:
    """The name under which the person's program holds `value`: in the running functions, innermost first, then globally."""
    frame = persons_frame(sys._getframe(1))
    outermost = None
    while frame is not None:
        for name, held in frame.f_locals.items():
            if held is value and name not in ("self", "module", "net_", *among):
                return name
        outermost = frame
        frame = persons_frame(frame.f_back)
    if outermost is not None:
        for name, held in outermost.f_globals.items():
            if held is value:
                return name
    return None
