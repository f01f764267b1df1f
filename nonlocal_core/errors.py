"""Every error that the core raises on purpose, in one tree.

    LensError
    ├── VideoError                 the file, not the program, is at fault
    │   ├── UnreadableVideo          no frame of it can be decoded, or its format is not allowed
    │   └── VideoTooLarge            it passes a limit (pixels, frames, seconds, memory)
    ├── DecoderFault               the isolated decoder itself is unsafe or broken: stop serving
    ├── QueryError                 the question does not fit the clip
    │   ├── PointOutsideClip
    │   ├── CellOutsideGrid
    │   ├── UnknownBlock
    │   ├── InvalidQuery             a number or a word of it is out of range, or the block cannot answer it
    │   └── UnfitVariant             a null model that this model or clip cannot have
    ├── StoreError
    │   ├── AnalysisNotFound
    │   └── DamagedAnalysis          a stored file does not match its checksum: analyse again
    ├── LearningError
    │   ├── UnusableListing          a list of videos and labels that cannot be read, or does not fit the model
    │   ├── TrainingFailed           a run that cannot start, or whose loss is no number any more
    │   └── ResumeMismatch           a run's folder holds another run than the one asked for
    └── ModelError
        ├── UnknownModel
        ├── AmbiguousModel           two files of one name
        ├── NotFetched               published, but its weights are not here
        ├── FetchFailed              a download broke off, or the file is not the one it should be
        ├── InvalidSpec
        ├── UnsupportedPrecision     neither the processor nor a GPU computes in it
        ├── UnreadableCheckpoint     not a container we know, or one that wants to run code
        └── ConversionFailed         tensors are missing, left over or of the wrong shape

Messages say what, with which value, and what to do. The web app maps each class to a status in `app/errors.py`.
"""

from __future__ import annotations


class LensError(Exception):
    """Base of every deliberate error of Nonlocal Lens."""


class VideoError(LensError):
    """The video cannot be used."""


class UnreadableVideo(VideoError):
    """No frame can be decoded, or the container or codec is not on the white list."""


class VideoTooLarge(VideoError):
    """A limit on pixels, frames, seconds, memory or processor time was passed."""


class DecoderFault(LensError):
    """The isolated decoder does not hold its promises on this machine."""


class QueryError(LensError):
    """The question does not fit the clip."""


class PointOutsideClip(QueryError):
    """A clip point lies outside the frames or outside the crop."""


class CellOutsideGrid(QueryError):
    """A cell lies outside its grid."""


class UnknownBlock(QueryError):
    """The analysis has no block of that name."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no block {name!r}; this model has {', '.join(known) or 'none'}")


class InvalidQuery(QueryError):
    """A part of the question is out of its range, or asks what is not known of the block."""


class UnfitVariant(QueryError):
    """A null model was asked for that makes no sense with the model."""


class StoreError(LensError):
    """A stored analysis cannot be read."""


class AnalysisNotFound(StoreError):
    """Nothing is stored under that id."""

    def __init__(self, clip_id: str) -> None:
        super().__init__(f"no analysis is stored for clip {clip_id!r}; analyse it first")


class DamagedAnalysis(StoreError):
    """A stored file does not match its checksum."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} is damaged (its checksum does not match); delete the clip and analyse it again")


class LearningError(LensError):
    """A network cannot be trained or evaluated as asked."""


class UnusableListing(LearningError):
    """A list of videos and labels cannot be read, holds nothing that can be used, or does not fit the model."""


class TrainingFailed(LearningError):
    """A run cannot start, or came to numbers that no further step can mend."""


class ResumeMismatch(LearningError):
    """What a run's folder holds is not the run that was asked for."""


class ModelError(LensError):
    """A model cannot be built or loaded."""


class UnknownModel(ModelError):
    """Neither a card's name nor a file."""

    def __init__(self, name: str, known: tuple[str, ...]) -> None:
        super().__init__(f"no model {name!r}: neither a file nor one of {', '.join(known)}; see `nonlocal-lens models`")


class AmbiguousModel(ModelError):
    """Two models were given that people would see under one name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"two different models are called {name!r}; rename one of the files")


class NotFetched(ModelError):
    """The model is published, but its weights are not on this machine."""

    def __init__(self, name: str) -> None:
        super().__init__(f"model {name!r} is published but not here; get it with `nonlocal-lens models fetch {name}`")


class FetchFailed(ModelError):
    """A published file could not be loaded, or is not the one it should be."""


class InvalidSpec(ModelError):
    """A model specification contradicts itself."""


class UnsupportedPrecision(ModelError):
    """Neither the processor nor a GPU of this machine computes in a precision."""

    def __init__(self, precision: str) -> None:
        super().__init__(
            f"this machine cannot compute in {precision}: that takes a processor with AVX-512 or AMX, or a GPU; use "
            "float32"
        )


class UnreadableCheckpoint(ModelError):
    """A checkpoint is in no known container, or asks to run code."""


class ConversionFailed(ModelError):
    """A conversion table and a checkpoint do not fit; every misfit is listed."""

    def __init__(self, misfits: list[str]) -> None:
        super().__init__("the checkpoint does not fit the model:\n  " + "\n  ".join(misfits))
