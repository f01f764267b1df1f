"""Which videos there are and what is seen in them: folders and CSV files -> a `Listing`. No torch, no video is opened.

    classes/jumping/a.mp4, ...          one class a video, the folder's name         "single"
    videos/a.mp4, ...                   unlabelled                                   "none"
    path,label                          one class a video (Kinetics)                 "single"
    path,labels     "run;jump"          any number of classes a video                "multi"
    id,...,actions  "c092 11.9 21.2;"   Charades' own lists; the video is ID.mp4     "multi"

Next: `clips.py`, which takes clips from the videos.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nonlocal_core.errors import UnusableListing
from nonlocal_core.video.info import CONTAINERS

Labelling = Literal["single", "multi", "none"]
Targets = NDArray[np.int64] | NDArray[np.float32]

SUFFIXES = {f".{container}" for container in (*CONTAINERS, "m4v")}
CHARADES_CLASSES = tuple(f"c{number:03}" for number in range(157))  # Sigurdsson et al. 2016: c000 ... c156


@dataclass(frozen=True)
class Example:
    """A video and the numbers of its classes: one, several, or none where it is unlabelled."""

    path: Path
    targets: tuple[int, ...]


@dataclass(frozen=True)
class Listing:
    """Videos to learn from or to measure on; targets count in `classes`."""

    examples: tuple[Example, ...]
    classes: tuple[str, ...]
    labelling: Labelling

    def targets(self, examples: Iterable[Example]) -> Targets:
        """What a loss or a metric reads: int64 [N] (single), float32 [N, classes] of 0 and 1 (multi), [N, 0] (none)."""
        rows = [example.targets for example in examples]
        if self.labelling == "single":
            return np.array([row[0] for row in rows], np.int64)  # [N]
        hot = np.zeros((len(rows), len(self.classes)), np.float32)  # [N, classes]
        for n, row in enumerate(rows):
            hot[n, list(row)] = 1
        return hot


@dataclass(frozen=True)
class _Row:
    """A video and the names of its classes, and where that was written, for errors."""

    path: Path
    labels: tuple[str, ...]
    place: str


def read_listing(source: Path, *, videos: Path | None = None, classes: tuple[str, ...] = ()) -> Listing:
    """Read a listing of any of the five kinds.

    Args:
        source: a folder, or a CSV file.
        videos: where a CSV's videos lie; beside the CSV when None.
        classes: the classes and their order, such as a model's labels; those that occur, sorted, when empty.

    Raises:
        UnusableListing: it is of no kind, empty, has a label that is none of `classes`, or none of its videos exists.
    """
    if source.is_dir():
        labelling, rows = _folder_rows(source)
    elif source.is_file():
        header, written = _csv_rows(source)
        kind = _kind_of(source, header)
        labelling, rows = kind.labelling, [kind.row(written_row, videos or source.parent) for written_row in written]
        classes = classes or kind.classes
    else:
        raise UnusableListing(f"{source} is neither a folder nor a file; give a folder of videos or a CSV")
    if not rows:
        raise UnusableListing(f"{source} lists no videos (in folders, {', '.join(sorted(SUFFIXES))} are looked for)")
    if not any(row.path.is_file() for row in rows):
        raise UnusableListing(
            f"none of the {len(rows)} videos of {source} is there, such as {rows[0].path}; see --videos"
        )
    return _numbered(rows, labelling, classes)


def _numbered(rows: list[_Row], labelling: Labelling, classes: tuple[str, ...]) -> Listing:
    if labelling == "none":
        return Listing(tuple(Example(row.path, ()) for row in rows), (), "none")
    classes = classes or tuple(sorted({label for row in rows for label in row.labels}))
    if not classes:
        raise UnusableListing("no video of the listing has a label; a listing without labels is a folder of videos")
    number = {name: i for i, name in enumerate(classes)}
    for row in rows:
        if unknown := [label for label in row.labels if label not in number]:
            raise UnusableListing(f"{row.place}: {unknown[0]!r} is none of the {_few(classes)}")
    examples = (Example(row.path, tuple(sorted({number[label] for label in row.labels}))) for row in rows)
    return Listing(tuple(examples), classes, labelling)


def _few(classes: tuple[str, ...]) -> str:
    return f"{len(classes)} classes ({', '.join(classes[:3])}{', ...' if len(classes) > 3 else ''})"


def _folder_rows(folder: Path) -> tuple[Labelling, list[_Row]]:
    """Videos in class folders, or without any; names sorted, so that every machine has the same order."""
    inside = {child.name: _videos_in(child) for child in sorted(folder.iterdir()) if child.is_dir()}
    labelled = [_Row(path, (name,), f"folder {name}") for name, paths in inside.items() for path in paths]
    unlabelled = [_Row(path, (), path.name) for path in _videos_in(folder)]
    if labelled and unlabelled:
        raise UnusableListing(
            f"{folder} holds videos ({unlabelled[0].path.name}) beside folders of videos "
            f"({labelled[0].labels[0]}); either every video lies in its class's folder or none does"
        )
    return ("single", labelled) if labelled else ("none", unlabelled)


def _videos_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())


@dataclass(frozen=True)
class _Line:
    """A line of a CSV."""

    cells: dict[str, str]
    place: str

    def __getitem__(self, column: str) -> str:
        """The cell, without blanks around it; an error where the line is too short to have it."""
        if self.cells.get(column) is None:
            raise UnusableListing(f"{self.place} has no {column!r}; it has fewer cells than the header")
        return self.cells[column].strip()


def _csv_rows(source: Path) -> tuple[tuple[str, ...], list[_Line]]:
    try:
        with source.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = tuple(reader.fieldnames or ())
            return header, [_Line(cells, f"{source}, line {reader.line_num}") for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UnusableListing(f"{source} cannot be read as a CSV: {error}") from error


class _Kind:
    """How the lines of a CSV are read; one subclass for each kind, known by its columns."""

    columns: tuple[str, str]
    labelling: Labelling
    classes: tuple[str, ...] = ()

    def row(self, line: _Line, videos: Path) -> _Row:
        """The line as a row; an absolute path stays as it is."""
        return _Row(videos / line[self.columns[0]], self.labels(line), line.place)

    def labels(self, line: _Line) -> tuple[str, ...]:
        """The names in the second column."""
        return tuple(filter(None, (label.strip() for label in line[self.columns[1]].split(";"))))


class _Kinetics(_Kind):
    columns, labelling = ("path", "label"), "single"

    def labels(self, line: _Line) -> tuple[str, ...]:
        if not line["label"]:
            raise UnusableListing(f"{line.place} has an empty label; unlabelled videos go into a folder")
        return (line["label"],)


class _Several(_Kind):
    columns, labelling = ("path", "labels"), "multi"


class _Charades(_Kind):
    columns, labelling, classes = ("id", "actions"), "multi", CHARADES_CLASSES

    def row(self, line: _Line, videos: Path) -> _Row:
        return _Row(videos / f"{line['id']}.mp4", self.labels(line), line.place)

    def labels(self, line: _Line) -> tuple[str, ...]:
        return tuple(action.split()[0] for action in super().labels(line))  # "c092 11.90 21.20": class, from, to


_KINDS = (_Kinetics(), _Several(), _Charades())


def _kind_of(source: Path, header: tuple[str, ...]) -> _Kind:
    kinds = [kind for kind in _KINDS if set(kind.columns) <= set(header)]
    if len(kinds) != 1:
        wanted = "; ".join(",".join(kind.columns) for kind in _KINDS)
        raise UnusableListing(f"{source} has the columns {','.join(header)[:200]!r}, but needs one pair of: {wanted}")
    return kinds[0]
