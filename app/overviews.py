"""Strips of whole videos: `overview.jpg` and `overview.json` in a clip's folder, made when they are first asked for.

Not by the worker: nobody shall wait for them in its queue, and a clip that was analysed before there were strips
gets one too. Clips of one video have the same strip, so it is decoded once. The picture is written first, so where
the description is, the picture is whole. A video of which none can be made has a description that says why.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from PIL import Image
from pydantic import BaseModel, ConfigDict, ValidationError

from app.problems import FULL, ClipNotFound, NoOverview, StorageFull
from nonlocal_core.durable import replace
from nonlocal_core.errors import VideoError
from nonlocal_core.video import VideoInfo, overview_sheet, read_overview

if TYPE_CHECKING:
    from pathlib import Path

    from app.clips_table import ClipRecord
    from app.library import Library

PICTURE, DESCRIPTION = "overview.jpg", "overview.json"
_JPEG_QUALITY = 85  # 48 pictures of 160x90 are about 130 kB


class StoredOverview(BaseModel):
    """The sheet's geometry and what it shows: picture i stands in column i % columns, row i // columns."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    count: int
    width_px: int
    height_px: int
    columns: int
    rows: int
    times_s: list[float]
    indices: list[int]


class _Failure(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    problem: str


class Overviews:
    """The strips of a library's clips; one is made at a time, and who waits for it holds no thread."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._making = asyncio.Lock()

    async def of(self, record: ClipRecord) -> StoredOverview:
        """The strip of a clip's video; made now if need be, which takes up to some seconds.

        Raises:
            NoOverview: none can be made of this video.
            ClipNotFound: the clip was deleted meanwhile.
            StorageFull: no room for it.
        """
        found = await asyncio.to_thread(_read, self._library.folder(record.id))
        if found is None:
            async with self._making:
                found = await asyncio.to_thread(self._read_or_make, record)
        if isinstance(found, _Failure):
            raise NoOverview(record.id, found.problem)
        return found

    async def picture(self, record: ClipRecord) -> bytes:
        """The sheet as a JPEG; raises as `of`."""
        await self.of(record)
        try:
            return await asyncio.to_thread((self._library.folder(record.id) / PICTURE).read_bytes)
        except FileNotFoundError:
            raise ClipNotFound(record.id) from None

    def _read_or_make(self, record: ClipRecord) -> StoredOverview | _Failure:
        folder, video = self._library.folder(record.id), self._library.video(record.id)
        try:
            return _read(folder) or self._borrow(record, folder) or _make(record, video, folder)
        except FileNotFoundError as error:
            raise ClipNotFound(record.id) from error
        except OSError as error:
            if error.errno in FULL:
                raise StorageFull("the overview of the video") from error
            raise

    def _borrow(self, record: ClipRecord, folder: Path) -> StoredOverview | None:
        """What another clip of the same video has."""
        for sibling in self._library.siblings(record.sha256):
            theirs = self._library.folder(sibling.id)
            found = _read(theirs)
            if isinstance(found, StoredOverview):
                try:
                    content = (theirs / PICTURE).read_bytes()
                except FileNotFoundError:  # deleted under our hands
                    continue
                replace(folder / PICTURE, lambda aside, content=content: aside.write_bytes(content))
                _describe(folder, found)
                return found
        return None


def _read(folder: Path) -> StoredOverview | _Failure | None:
    """What is known of the strip in that folder; None when it was not made yet, or cannot be read."""
    try:
        content = (folder / DESCRIPTION).read_bytes()
    except FileNotFoundError:
        return None
    try:
        return StoredOverview.model_validate_json(content)
    except ValidationError:
        pass
    try:
        return _Failure.model_validate_json(content)
    except ValidationError:
        return None  # of another version of this program: made again


def _make(record: ClipRecord, video: Path, folder: Path) -> StoredOverview | _Failure:
    try:
        decoded = read_overview(video, VideoInfo(**record.details["video"]))
    except VideoError as error:
        if not video.exists():
            raise FileNotFoundError(video) from error
        failure = _Failure(problem=str(error))
        _describe(folder, failure)
        return failure
    sheet = overview_sheet(decoded.rgb)
    count, height, width = decoded.rgb.shape[:3]
    picture = Image.fromarray(sheet)
    replace(folder / PICTURE, lambda aside: picture.save(aside, format="jpeg", quality=_JPEG_QUALITY))
    overview = StoredOverview(
        count=count,
        width_px=width,
        height_px=height,
        columns=sheet.shape[1] // width,
        rows=sheet.shape[0] // height,
        times_s=decoded.times_s.tolist(),
        indices=decoded.indices.tolist(),
    )
    _describe(folder, overview)
    return overview


def _describe(folder: Path, found: StoredOverview | _Failure) -> None:
    replace(folder / DESCRIPTION, lambda aside: aside.write_text(found.model_dump_json(), encoding="utf-8"))
