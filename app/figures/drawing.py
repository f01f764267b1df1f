"""SVG of a link, drawn by the page's own modules: V8 without a browser, in one context that is made when first needed.

The draw list and both painters exist once, in JavaScript (static/js/figure.js); a second implementation here would
differ from the page sooner or later. V8 sees a link and the clip's own data, no files, no network and no clock.
"""

from __future__ import annotations

import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from py_mini_racer import JSEvalException, MiniRacer, init_mini_racer

from app.figures.bundle import bundle
from app.resources import resource
from nonlocal_core.errors import LensError

if TYPE_CHECKING:
    from app.figures.subject import Subject

MEMORY_BYTES = 600_000_000  # a figure of 100 frames takes about 100 MB
PATIENCE_S = 30.0  # eight questions of 1,024 cells each take about five

# What figure.js uses of a browser, and what is kept between calls.
_HOST = r"""
globalThis.URLSearchParams = class {
  constructor(text) {
    const plain = (part) => {
      const spaced = part.replaceAll('+', ' ');
      try { return decodeURIComponent(spaced); } catch { return spaced; }
    };
    this.pairs = text.replace(/^\?/, '').split('&').filter(Boolean).map((part) => {
      const at = (part + '=').indexOf('=');
      return [plain(part.slice(0, at)), plain(part.slice(at + 1))];
    });
  }
  get(key) { return this.pairs.find(([name]) => name === key)?.[1] ?? null; }
  [Symbol.iterator]() { return this.pairs[Symbol.iterator](); }
};
globalThis.TextDecoder = class {
  decode(bytes) {
    let text = '';
    for (const byte of bytes) text += '%' + byte.toString(16).padStart(2, '0');
    return decodeURIComponent(text);
  }
};
globalThis.kept = {};
globalThis.begin = (clip, blocks) => { kept.world = figure.worldFrom(clip, blocks); kept.field = null; return true; };
globalThis.room = (size) => (kept.buffer = new ArrayBuffer(size));
globalThis.take = () => { kept.field = figure.fieldFrom(kept.buffer); kept.buffer = null; return true; };
globalThis.plan = (search) => figure.planOf({search, world: kept.world});
globalThis.draw = (name, options) => figure[name]({...options, world: kept.world, field: kept.field});
globalThis.end = () => { kept = {}; return true; };
"""


def wake_v8() -> None:
    """Prepare V8 for the threads of this process: to be called in its main thread, before there are others.

    V8 locks its memory with protection keys where the processor has them; a thread that is older than the lock has no
    key, and dies of a segmentation fault when it closes, or lets go of, what another thread made.
    """
    init_mini_racer(ignore_duplicate_init=True)


class CannotDraw(LensError):
    """The link cannot be drawn."""

    def __init__(self, why: str) -> None:
        super().__init__(f"the figure cannot be drawn: {why}")


@dataclass(frozen=True)
class Plan:
    """What a link shows: its block, its frames, and what of it was not understood, in words."""

    block: str
    frames: tuple[int, ...]
    notes: tuple[str, ...]


class Drawing:
    """Draws one subject at a time; threads wait for each other."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._engine: MiniRacer | None = None

    @contextmanager
    def of(self, subject: Subject, search: str) -> Generator[Sketch]:
        """Begin with a clip and a link; the context is V8's, so draw what is needed and leave.

        Raises:
            CannotDraw: the clip has no block, or V8 ran out of memory or patience.
            AnalysisNotFound, DamagedAnalysis: as `subject.features`.
        """
        with self._lock:
            if self._engine is None:
                self._engine = _engine()
            sketch = Sketch(self._engine, subject, search)
            try:
                yield sketch
                self._engine.call("end")
            except CannotDraw:
                self.close()  # whatever it was, the next figure begins anew
                raise

    def close(self) -> None:
        """Let go of V8; it comes again when it is needed."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


class Sketch:
    """One clip and one link in V8."""

    def __init__(self, engine: MiniRacer, subject: Subject, search: str) -> None:
        self._engine = engine
        self._subject = subject
        self._search = search
        self._call("begin", subject.clip, subject.blocks)
        planned = self._call("plan", search)
        if planned["block"] is None:
            raise CannotDraw("this network has no non-local block")
        self.plan = Plan(planned["block"], tuple(planned["frames"]), tuple(planned["notes"]))
        features = subject.features(self.plan.block)
        room = cast(memoryview, engine.eval(f"room({len(features)})"))
        room[:] = features
        self._call("take")

    def figure(self, *, version: str, made: str, width: float) -> str:
        """The figure with its caption as SVG text, `width` CSS pixels wide; `made` is the date it says."""
        clip = self._subject.clip
        model = {"name": clip["model"], "weights": self._subject.weights}
        pictures = self._subject.picture_urls(self.plan.frames)
        options = {"search": self._search, "pictures": pictures, "model": model}
        return self._call("draw", "figureOf", options | {"version": version, "made": made, "width": width})

    def shot(self, frame: int) -> str:
        """What lies over the picture in one frame of the film, as SVG text."""
        return self._call("draw", "shotOf", {"search": self._search, "frame": frame})

    def _call(self, name: str, *arguments: Any) -> Any:
        try:
            return self._engine.call(name, *arguments, timeout_sec=PATIENCE_S)
        except JSEvalException as error:
            raise CannotDraw(str(error).splitlines()[0]) from error


def _engine() -> MiniRacer:
    engine = MiniRacer()
    engine.set_hard_memory_limit(MEMORY_BYTES)
    engine.eval(bundle(resource("static") / "js", "figure.js", "figure"))
    engine.eval(_HOST)
    return engine
