"""What one job does: read the clip, analyse it, store the analysis, say so. It knows no job engine.

`run` may be called again for the same clip at any time and by several workers: a finished clip is left alone, an
analysis is renamed into place whole, and every write names its attempt, so only the latest attempt counts.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Protocol

from app.database import AWAY, until_possible
from app.library import remove_path
from app.metrics import JobMetrics, worker_file
from app.problems import FULL, StorageFull
from nonlocal_core.errors import LensError, UnknownModel, VideoError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from pydantic import BaseModel

    from app.clips_table import ClipRecord
    from app.jobs.worker import WorkerSettings
    from app.library import Library
    from nonlocal_core.model.build import Model
    from nonlocal_core.variant import Variant

log = logging.getLogger(__name__)


MAX_ATTEMPTS = 3
REPORT_EVERY_S = 0.1  # each report is a synced write: ten a second look smooth and cost nothing
PROVENANCE = ("id", "sha256", "filename", "model", "start_s", "variant")  # what a stored analysis says of its origin
DETAILS = {"video", "frames", "notes"}  # what a clip shows of its manifest
PARTIAL = "analysis.partial-*"  # what AffinityStore writes before it renames


class Cancelled(Exception):
    """The clip was cancelled or deleted, or another attempt took over: stop, and leave nothing."""


class Analyse(Protocol):
    """`nonlocal_core.analyse`, as far as a job needs it."""

    def __call__(  # noqa: D102
        self, video: Path, model: Any, *, start_s: float, variant: Variant, progress: Callable[[str, float], None]
    ) -> Any: ...


class Store(Protocol):
    """`AffinityStore`, as far as a job needs it."""

    def write(self, clip_id: str, analysis: Any, provenance: dict[str, str]) -> BaseModel: ...  # noqa: D102


class Task:
    """Runs jobs with models that are loaded already.

    Args:
        library: the clips.
        store: where analyses go; it writes below `library.folder(clip_id)` and answers with the manifest.
        models: by the name that clips carry.
        analyse: the analysis itself.
        errands: other work of this process by the name of its workflow, see workflow.py.
        metrics: hears how jobs went; nobody does when None.
    """

    def __init__(
        self,
        library: Library,
        store: Store,
        models: Mapping[str, Any],
        analyse: Analyse,
        errands: Mapping[str, Callable[[str], None]] | None = None,
        metrics: JobMetrics | None = None,
    ) -> None:
        self._library = library
        self._store = store
        self._models = models
        self._analyse = analyse
        self.errands = errands or {}
        self._metrics = metrics or JobMetrics()
        self.current: ClipRecord | None = None

    def run(self, clip_id: str) -> None:
        """Bring the clip to a final state, whatever happens short of this process's death."""
        record = until_possible(lambda: self._library.start(clip_id))
        if record is None:
            return
        self.current = record
        began, outcome = time.monotonic(), "done"
        try:
            self._clear_partials(record)
            if record.attempts > MAX_ATTEMPTS:
                outcome = "WorkerDied"
                self._fail(record, outcome, _died(record))
            else:
                self._work(record)
        except Cancelled:
            outcome = "cancelled"
            self._clear_partials(record)
            self._clear_if_cancelled(record)
        except LensError as error:
            outcome = type(error).__name__
            self._fail(record, outcome, str(error))
            if isinstance(error, VideoError):
                self._metrics.rejected(outcome)
        except Exception as error:  # a job must end: whatever a video makes the code do is this clip's failure
            # When the failure does not count, the clip was deleted under our hands: then missing files are no news.
            reason = _reason(record, error)
            outcome = reason[0]
            if self._fail(record, *reason):
                log.exception("clip %s failed", clip_id)
        finally:
            self.current = None
        seconds = time.monotonic() - began
        log.info("clip %s: %s after %.2f s, attempt %d", clip_id, outcome, seconds, record.attempts)
        self._metrics.ended("analysis", outcome, seconds)
        if until_possible(lambda: self._library.find(clip_id)) is None:  # deleted while we wrote
            remove_path(self._library.folder(clip_id))

    def _work(self, record: ClipRecord) -> None:
        model = self._models.get(record.model)
        if model is None:
            raise UnknownModel(record.model, tuple(self._models))
        report = Reporter(self._library, record, self._metrics)
        analysis = self._analyse(
            self._library.video(record.id), model, start_s=record.start_s, variant=record.variant, progress=report
        )
        provenance = {name: str(getattr(record, name)) for name in PROVENANCE}
        report("write", report.fraction)  # the last moment to stop: what follows is short
        manifest = self._store.write(record.id, analysis, provenance)
        details = manifest.model_dump(mode="json", include=DETAILS)
        report.leave()
        if not until_possible(lambda: self._library.finish(record.id, record.attempts, details)):
            raise Cancelled

    def _fail(self, record: ClipRecord, code: str, message: str) -> bool:
        self._clear_partials(record)
        fail = self._library.fail
        return until_possible(lambda: fail(record.id, record.attempts, code=code, message=message))

    def _clear_if_cancelled(self, record: ClipRecord) -> None:
        """What is stored can be asked, so an analysis that was cancelled as it was written must go."""
        current = until_possible(lambda: self._library.find(record.id))
        if current is not None and current.state == "cancelled":
            remove_path(self._library.folder(record.id) / "analysis")

    def _clear_partials(self, record: ClipRecord) -> None:
        for path in self._library.folder(record.id).glob(PARTIAL):
            remove_path(path)


class Reporter:
    """Progress of one attempt, thinned out; raises Cancelled when the attempt no longer counts."""

    def __init__(self, library: Library, record: ClipRecord, metrics: JobMetrics) -> None:
        self._library = library
        self._record = record
        self._metrics = metrics
        self._stage = ""
        self._entered = self._next = 0.0
        self.fraction = 0.0

    def __call__(self, stage: str, fraction: float) -> None:
        """In `stage`, and `fraction` of the whole is done, in [0, 1]; a new stage is always written."""
        self.fraction = fraction
        now = time.monotonic()
        if stage == self._stage and now < self._next:
            return
        if stage != self._stage:
            self.leave()
            self._entered = now
        self._stage, self._next = stage, now + REPORT_EVERY_S
        try:
            counts = self._library.report(self._record.id, self._record.attempts, stage, fraction)
        except AWAY as error:  # no waiting here: a decoder is at work, and its time is limited
            log.warning("progress is not told: %s", str(error.orig).splitlines()[0])
            return
        if not counts:
            raise Cancelled

    def leave(self) -> None:
        """The stage has ended."""
        if self._stage:
            self._metrics.stage(self._stage, time.monotonic() - self._entered)


def load_task(settings: WorkerSettings, library: Library) -> Task:
    """The real thing: loads every model of the settings once. Only the worker calls this, so only it loads torch."""
    import torch

    from app.figures.drawing import wake_v8
    from app.jobs.cut_task import CutTask
    from app.jobs.film_task import FilmTask
    from app.jobs.workflow import CUT, FILM
    from nonlocal_core.affinity.store import AffinityStore
    from nonlocal_core.analysis import analyse
    from nonlocal_core.video.isolation import watch_children
    from nonlocal_core.zoo.cards import card_of, cards_of
    from nonlocal_core.zoo.load import load_model

    wake_v8()
    folder = settings.models_folder
    device = "cuda" if torch.cuda.is_available() else "cpu"  # the first GPU that CUDA_VISIBLE_DEVICES leaves
    given = {card_of(name, folder).name: name for name in settings.models}

    def loaded(name: str) -> Model:
        return load_model(given[name], models=folder, precision=settings.precision)

    models = {name: loaded(name).to(device) for name in given}
    store = AffinityStore(library.root)
    metrics = JobMetrics(worker_file(settings.data, settings.executor))
    one_at_a_time = threading.Lock()  # a cut hooks into the very model that an analysis would run meanwhile

    def analyse_alone(video: Path, model: Any, **options: Any) -> Any:
        with one_at_a_time, watch_children(metrics.child_ended):
            try:
                return analyse(video, model, **options)
            except torch.OutOfMemoryError as error:
                told = str(error).splitlines()[0]
            # Out here the failed run's tensors are free: the error's traceback held them.
            torch.cuda.empty_cache()
            log.warning("the GPU has too little memory for this clip, so the processor takes it: %s", told)
            return analyse(video, loaded(next(name for name in models if models[name] is model)), **options)

    errands = {
        CUT: CutTask(library, models, one_at_a_time, metrics).run,
        FILM: FilmTask(library, store, cards_of(settings.models, folder), metrics).run,
    }
    return Task(library, store, models, analyse_alone, errands, metrics)


def _died(record: ClipRecord) -> str:
    return (
        f"the worker died {record.attempts - 1} times while it analysed this video (out of memory, or a fault in a "
        "decoder); it is not tried again: re-encode the video, or give the worker more memory"
    )


def _reason(record: ClipRecord, error: Exception) -> tuple[str, str]:
    """Code and message of an error that nobody foresaw; its own words go to the log only."""
    if isinstance(error, OSError) and error.errno in FULL:
        return "StorageFull", str(StorageFull("the analysis"))
    return "InternalError", f"the program failed on this video; the server's log has the cause under clip {record.id}"
