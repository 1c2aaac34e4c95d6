"""Files from the network: to a cache, by checksum, whole or not there. $OSLER_OFFLINE=1 keeps Osler off it."""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from osler.structures.errors import DataError
from osler.structures.files import write_whole

PIECE = 1 << 20
PATIENCE = 30.0  # seconds without an answer


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file by address, with the checksum that its publisher gives."""

    url: str
    checksum: str  # hexadecimal, or as many of its first digits as the publisher gives
    algorithm: str = "md5"  # as published; it guards against damage, and the content is only ever read as data

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.url.rsplit("/", 1)[-1]


def cache_folder() -> Path:
    """Where downloaded files are kept: $OSLER_CACHE, or `~/.cache/osler`."""
    chosen = os.environ.get("OSLER_CACHE")
    return Path(chosen) if chosen else Path.home() / ".cache" / "osler"


def fetch(remote: RemoteFile, folder: Path) -> Path:
    """The file in `folder`, downloaded if it is not there with the right checksum. An interrupted download leaves
    nothing.

    Raises:
        DataError: the network did not allow it, the disk did not, or what came has another checksum.
    """
    path = folder / remote.name
    if path.is_file() and _checksum_of(path, remote.algorithm).startswith(remote.checksum):
        return path
    if os.environ.get("OSLER_OFFLINE") and not remote.url.startswith("file:"):
        raise DataError(f"{remote.name} is not in {folder}, and OSLER_OFFLINE is set, so it was not downloaded.")
    by_hand = f"Where this machine has no network, put the file there by hand: {path}"
    try:
        answer = urllib.request.urlopen(remote.url, timeout=PATIENCE)
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise DataError(f"{remote.name} could not be downloaded from {remote.url} ({reason}). {by_hand}") from error
    with answer:
        try:
            write_whole(path, lambda file: _copy(answer, file, remote))
        except (OSError, http.client.HTTPException) as error:
            raise DataError(f"The download of {remote.url} to {path} broke off ({error}). {by_hand}") from error
    return path


def _copy(answer: BinaryIO, file: BinaryIO, remote: RemoteFile) -> None:
    digest = hashlib.new(remote.algorithm, usedforsecurity=False)
    while piece := answer.read(PIECE):
        digest.update(piece)
        file.write(piece)
    if not digest.hexdigest().startswith(remote.checksum):
        raise DataError(
            f"What came from {remote.url} is not the published file: its {remote.algorithm} is {digest.hexdigest()}, "
            f"{remote.checksum} is expected. It was not kept; try again, or fetch the file by hand."
        )


def _checksum_of(path: Path, algorithm: str) -> str:
    with open(path, "rb") as file:
        digest = hashlib.new(algorithm, usedforsecurity=False)
        while piece := file.read(PIECE):
            digest.update(piece)
    return digest.hexdigest()
