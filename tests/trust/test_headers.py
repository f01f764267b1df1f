"""Made-up links, safetensors and checkpoint headers: an answer or our own error, never anything else."""

from __future__ import annotations

import contextlib
import json
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.figures import drawing
from nonlocal_core import tensor_file
from nonlocal_core.affinity.store import field_from_bytes, field_to_bytes
from nonlocal_core.errors import DamagedAnalysis, UnreadableCheckpoint
from nonlocal_core.zoo.checkpoint import read_checkpoint
from nonlocal_core.zoo.containers import read_container
from tests.conftest import KEYS, QUERIES
from tests.trust.little import SPEC

CALM = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
SIZES = st.integers(-3, 70) | st.sampled_from([2**31, 2**63, 2**64, -(2**63)])
TENSOR = st.fixed_dictionaries(
    {},
    optional={
        "dtype": st.sampled_from(["F32", "F16", "I64", "BF16", "F8", "", "f32"]) | JSON,
        "shape": st.lists(SIZES, max_size=4) | JSON,
        "data_offsets": st.lists(SIZES, min_size=2, max_size=2) | JSON,
    },
)
META = st.dictionaries(
    st.sampled_from(["format", "spec", "labels", "provenance", "kind", "scale", "query_grid", "key_grid", "block"]),
    st.sampled_from(["nonlocal-lens/1", "embedded_gaussian", "nan", "1,1,1", "0,0,0", "-1,2,2", "{}", "[]", "9" * 5000])
    | st.text(max_size=20),
)
HEADER = st.dictionaries(st.sampled_from(["theta", "phi", "lse", "mean_row", "a"]), TENSOR | JSON, max_size=4)


@st.composite
def safetensors_like(draw):
    """Eight bytes of length, a header that is nearly one, some numbers."""
    header = draw(HEADER | JSON)
    if isinstance(header, dict) and draw(st.booleans()):
        header["__metadata__"] = draw(META | JSON)
    text = draw(st.just(json.dumps(header).encode()) | st.binary(max_size=40))
    length = draw(st.just(len(text)) | st.integers(0, 2**64 - 1))
    return struct.pack("<Q", length) + text + draw(st.binary(max_size=80))


@CALM
@given(safetensors_like())
@example(b"")
@example(struct.pack("<Q", 2) + b"{}")
@example(struct.pack("<Q", 100_000) + b"[" * 100_000)
def test_made_up_safetensors_are_refused_in_our_own_words(content):
    with contextlib.suppress(tensor_file.NotATensorFile):
        tensor_file.from_bytes(content)
    with contextlib.suppress(DamagedAnalysis):
        field_from_bytes(content, "block")


@CALM
@given(safetensors_like() | st.binary(max_size=200))
@example(struct.pack("<Q", 100_000) + b"[" * 100_000)
@example(b"\x80\x04.")
@example(b"PK\x03\x04" + bytes(40))
def test_made_up_checkpoints_are_refused_in_our_own_words(content):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        path.write_bytes(content)
        for read in (read_checkpoint, read_container):
            with pytest.raises(UnreadableCheckpoint):
                read(path)


@pytest.mark.parametrize("name", ["spec", "labels", "provenance"])
@pytest.mark.parametrize(
    "text", ["1", "null", '"ab"', "[[]]", "{", "[" * 100_000, '{"a": 1}', "NaN"], ids=lambda t: t[:8]
)
def test_a_model_file_whose_own_words_are_odd_is_refused_or_read(tmp_path, name, text):
    told = {"format": "nonlocal-lens/1", "spec": SPEC.model_dump_json(), "labels": "[]", "provenance": "{}"}
    path = tmp_path / "model.safetensors"
    path.write_bytes(tensor_file.to_bytes({"a": np.zeros(1, np.float32)}, told | {name: text}))

    with contextlib.suppress(UnreadableCheckpoint):
        read_checkpoint(path)


@CALM
@given(at=st.integers(0, 10**6), bit=st.integers(0, 7))
def test_a_field_with_a_flipped_bit_is_a_field_or_refused(at, bit):
    content = bytearray(_whole_field())
    content[at % len(content)] ^= 1 << bit
    try:
        field = field_from_bytes(bytes(content), "block")
    except DamagedAnalysis:
        return
    assert field.theta.ndim == 2


def _whole_field():
    from nonlocal_core.affinity.field import AffinityField

    numbers = np.random.default_rng(0)
    theta, phi = (numbers.standard_normal((grid.cells, 8)).astype(np.float32) for grid in (QUERIES, KEYS))
    return field_to_bytes(AffinityField("embedded_gaussian", 0.5, QUERIES, KEYS, theta, phi), "block")


# links

WORLD = [
    {"frames": {"count": 32, "times_s": [n / 10 for n in range(32)]}, "filename": "a.mp4"},
    [
        {
            "name": name,
            "kind": "embedded_gaussian",
            "query_grid": {"t": 16, "h": side, "w": side},
            "key_grid": {"t": 16, "h": side // 2, "w": side // 2},
        }
        for name, side in (("mixed_3c", 28), ("mixed_4b", 14))
    ],
]
CELL = st.builds("{}.{}.{}".format, *[st.integers(-2, 40)] * 3)
PIN = CELL | st.builds("{}-{}".format, CELL, CELL) | st.text(max_size=6)
VALUE = {
    "block": st.sampled_from(["mixed_3c", "mixed_4b", "res9", "__proto__", "constructor"]),
    "q": st.lists(PIN, max_size=5).map(",".join),
    "dir": st.sampled_from(["forward", "reverse", "up"]),
    "near": st.builds("{}.{}".format, st.integers(-1, 200), st.integers(-1, 2000)),
    "when": st.builds("{}-{}".format, st.integers(0, 40), st.integers(0, 40))
    | st.sampled_from(["others", "same", "x"]),
    "frames": st.lists(st.integers(-1, 40), max_size=9).map(lambda frames: ".".join(map(str, frames))),
}
KEYS_OF_LINKS = [*VALUE, "k", "mass", "value", "minus", "pool", "beside", "view", "frame", "heat", "opacity", "palette",
                 "scale", "smooth", "on", "n", "step", "__proto__", "toString", ""]  # fmt: skip


@st.composite
def links(draw):
    parts = []
    for key in draw(st.lists(st.sampled_from(KEYS_OF_LINKS), max_size=8)):
        value = draw(VALUE.get(key, st.integers(-5, 1200).map(str)) | st.text(max_size=12))
        parts.append(f"{key}={value}")
    return draw(st.sampled_from(["", "?"])) + "&".join(parts) + draw(st.sampled_from(["", "&", "%", "%E0%A4%A", "#x"]))


@pytest.fixture(scope="module")
def engine():
    engine = drawing._engine()
    engine.call("begin", *WORLD)
    yield engine
    engine.close()


@CALM
@given(link=links() | st.text(max_size=60))
def test_any_link_is_a_question_with_notes_and_its_plan_fits_the_clip(engine, link):
    plan = engine.call("plan", link)

    assert plan["block"] in ("mixed_3c", "mixed_4b")
    assert 1 <= len(plan["frames"]) <= 32
    assert all(frame in range(32) for frame in plan["frames"])
    assert all(isinstance(note, str) for note in plan["notes"])
