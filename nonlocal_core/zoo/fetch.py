"""Getting a published model: load the file or take it from disk, check it, remember it, convert it.

    MODELS/
      NAME.safetensors        ours; what `load_model(NAME)` opens
      originals/NAME.pth      as published; may be deleted, the next fetch loads it again
      originals/NAME.json     what was trusted, when and why; a file that differs from it is refused
      originals/NAME.part     a download that broke off

Some sources name a digest, whole or in part. Where none is named, the first file seen is trusted and remembered.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, ValidationError

from nonlocal_core.errors import FetchFailed, ModelError
from nonlocal_core.zoo.cards import weights_path
from nonlocal_core.zoo.checkpoint import file_sha256, write_checkpoint
from nonlocal_core.zoo.convert import convert_file
from nonlocal_core.zoo.download import LARGEST_BYTES, PATIENCE, Patience, Progress, download, silent
from nonlocal_core.zoo.published import PublishedCard


class Record(BaseModel):
    """What a fetched file was, so that another one under its name is noticed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str  # of the mirror, or of a file, where it came from there
    bytes: int
    sha256: str
    fetched_at: datetime
    trust: Literal["digest named by the source", "first use"]


def fetch_model(
    card: PublishedCard,
    models: Path,
    *,
    mirror: str | None = None,
    file: Path | None = None,
    progress: Progress = silent,
    patience: Patience = PATIENCE,
) -> Record:
    """Make the published model loadable by its name; -> what was trusted.

    Args:
        card: from `PUBLISHED`.
        models: the models folder.
        mirror: the download's scheme and host (and a prefix of its path) are replaced by this base URL.
        file: the published file, already on this machine; nothing is loaded then.
        progress: called with the bytes so far and in all, while loading.
        patience: with the network.

    Raises:
        FetchFailed: no converter, no download, a wrong digest, not the file of the record, or no room.
        UnreadableCheckpoint, ConversionFailed: the file is not what its source says.
    """
    if not card.opens:
        raise FetchFailed(f"{card.name} is only listed: no converter here reads {card.file} ({card.page})")
    if file is not None and not file.is_file():
        raise FetchFailed(f"there is no file {file}")
    originals = models / "originals"
    try:
        originals.mkdir(parents=True, exist_ok=True)
        with _alone_in(originals):
            original, origin = _obtained(card, originals, mirror, file, progress, patience)
            known = _checked(card, originals, original)
            record = known or _record_of(card, original, origin)
            try:
                _convert(card, original, record, weights_path(card.name, models))
            except ModelError:
                if known is None and card.digest is None and original != file:
                    original.unlink()  # nothing speaks for it: the next fetch shall load another
                raise
            _write_whole(_record_path(card, originals), record.model_dump_json(indent=2) + "\n")
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        raise FetchFailed(f"{models} cannot be written: {error.strerror}") from error
    return record


def _obtained(
    card: PublishedCard,
    originals: Path,
    mirror: str | None,
    file: Path | None,
    progress: Progress,
    patience: Patience,
) -> tuple[Path, str]:
    """The published file, unpacked and checked, and where it came from: the user's, an earlier fetch's or the net's."""
    original = originals / (card.name + (".params" if card.file.endswith(".zip") else Path(card.file).suffix))
    if file is not None:
        source, origin = file, file.resolve().as_uri()
    elif original.exists():
        source, origin = original, original.resolve().as_uri()
    elif card.url is None:
        raise FetchFailed(f"{card.file} has no download: make it as {card.page} says, then use --from FILE")
    else:
        source, origin = originals / f"{card.name}.part", _at_mirror(card.url, mirror)
        download(origin, source, progress=progress, patience=patience)
    whole = source
    try:
        whole = _unpacked(card, source, originals)
        _checked(card, originals, whole)
    except FetchFailed:
        for path in {source, whole} - {file}:  # the user's own file stays; of ours, the next fetch shall not go on
            path.unlink()
        raise
    if whole == file:
        return whole, origin  # read where it is
    whole.replace(original)
    if source not in (file, original):
        source.unlink(missing_ok=True)  # the .zip, now that it is unpacked
    return original, origin


def _record_of(card: PublishedCard, original: Path, origin: str) -> Record:
    return Record(
        url=origin,
        bytes=original.stat().st_size,
        sha256=file_sha256(original),
        fetched_at=datetime.now(UTC).replace(microsecond=0),
        trust="digest named by the source" if card.digest else "first use",
    )


def _checked(card: PublishedCard, originals: Path, path: Path) -> Record | None:
    """Refuse a file that is not the one it should be; -> its record, when it was fetched before."""
    _check_digest(card, path)
    return _check_record(card, originals, path)


def _check_digest(card: PublishedCard, path: Path) -> None:
    if card.digest is None:
        return
    algorithm, _, start = card.digest.partition(":")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, algorithm).hexdigest()
    if not found.startswith(start):
        raise FetchFailed(f"{card.file}: its {algorithm} is {found[: len(start)]}, its source says {start}; not used")


def _check_record(card: PublishedCard, originals: Path, path: Path) -> Record | None:
    """The record, when there is one and the file is that one."""
    place = _record_path(card, originals)
    if not place.exists():
        return None
    try:
        record = Record.model_validate_json(place.read_bytes())
    except ValidationError as error:
        raise FetchFailed(f"{place} cannot be read; remove it to trust what comes next: {error}") from error
    found = file_sha256(path)
    if found != record.sha256:
        raise FetchFailed(
            f"{card.file}: its SHA-256 is {found[:12]}…, but {record.sha256[:12]}… was fetched on "
            f"{record.fetched_at:%Y-%m-%d} from {record.url}; not used. Remove {place} to trust the new one"
        )
    return record


def _convert(card: PublishedCard, original: Path, record: Record, target: Path) -> None:
    checkpoint = convert_file(original, published_as=card.file)
    told = {"published": card.name, "url": record.url, "sha256": record.sha256, "trust": record.trust}
    header = replace(checkpoint.header, provenance=checkpoint.header.provenance | told)
    partial = target.with_suffix(".partial")
    write_checkpoint(partial, replace(checkpoint, header=header))
    partial.replace(target)


def _unpacked(card: PublishedCard, path: Path, originals: Path) -> Path:
    """The .params file of a published .zip, which is what its digest is of; any other file as it is."""
    if not card.file.endswith(".zip") or not zipfile.is_zipfile(path):
        return path
    with zipfile.ZipFile(path) as archive:
        members = [member for member in archive.infolist() if member.filename.endswith(".params")]
        if len(members) != 1 or members[0].file_size > LARGEST_BYTES:
            raise FetchFailed(f"{card.file} holds {len(members)} .params files; one of a sensible size was expected")
        target = originals / f"{card.name}.unpacked"
        try:
            with archive.open(members[0]) as source, target.open("wb") as file:
                shutil.copyfileobj(source, file)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            target.unlink()
            raise FetchFailed(f"{card.file} is damaged: {error}") from error
    return target


def _record_path(card: PublishedCard, originals: Path) -> Path:
    return originals / f"{card.name}.json"


def _at_mirror(url: str, mirror: str | None) -> str:
    return url if mirror is None else mirror.rstrip("/") + urlsplit(url).path


def _write_whole(path: Path, text: str) -> None:
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


@contextmanager
def _alone_in(folder: Path) -> Generator[None]:
    """One fetch at a time into a folder: two would write one part. The kernel frees the lock of a killed process."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchFailed(f"another fetch into {folder} is running; wait for it") from error
        yield
    finally:
        os.close(descriptor)
