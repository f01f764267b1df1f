"""bfloat16 where the machine computes in it, and a clear refusal, not hours of emulation, where it does not."""

import pytest
import torch

import nonlocal_core as nl
from app.cli import main
from nonlocal_core.doctor import examine
from nonlocal_core.errors import UnsupportedPrecision
from nonlocal_core.model import precision
from nonlocal_core.model.precision import computing_in, has_bfloat16, sooner


@pytest.fixture
def emulating(monkeypatch):
    """A processor that only emulates bfloat16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)


@pytest.mark.usefixtures("emulating")
def test_a_processor_without_it_is_refused_when_a_network_is_loaded():
    with pytest.raises(UnsupportedPrecision, match="cannot compute in bfloat16: that takes a processor with AVX-512"):
        nl.load_model("i3d-observers", precision="bfloat16")
    assert nl.load_model("i3d-observers", precision="float32").precision == "float32"


@pytest.mark.usefixtures("emulating")
@pytest.mark.parametrize("command", ["serve --precision bfloat16", "analyse a.mp4 --precision bfloat16"])
def test_commands_say_so_and_end_with_1(tmp_path, capsys, monkeypatch, command):
    monkeypatch.chdir(tmp_path)

    assert main(command.split()) == 1

    assert "this machine cannot compute in bfloat16" in capsys.readouterr().err


@pytest.mark.usefixtures("emulating")
def test_what_need_not_be_exact_is_computed_in_what_is_sooner(monkeypatch):
    assert sooner("cpu") == "float32"
    monkeypatch.setattr(precision, "has_bfloat16", lambda _device: True)
    assert sooner("cpu") == "bfloat16"


@pytest.mark.parametrize(("asked", "dtype"), [("float32", torch.float32), ("bfloat16", torch.bfloat16)])
def test_computing_in_a_precision(asked, dtype):
    with computing_in(asked, "cpu"):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype


def test_a_gpu_is_asked_for_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: "asked")

    assert has_bfloat16("cuda") == "asked"


@pytest.mark.usefixtures("emulating")
def test_the_doctor_says_that_it_cannot_be_had(tmp_path):
    (device,) = (found for found in examine(tmp_path, models=()) if found.what == "device")

    assert device.words.endswith("--precision bfloat16 cannot be had here: the processor has no AVX-512")
