"""A small network whose blocks can be scored, and films with known truth, for the tests of the scorecard."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from nonlocal_core.model.build import Model
from nonlocal_core.model.spec import BlockSpec, ModelSpec
from nonlocal_core.video import normalise
from tests.learn.films import write_frames

BLOCKS = tuple(BlockSpec(after=stage, kind="embedded_gaussian") for stage in ("mixed_3c", "mixed_4b"))
SPEC = ModelSpec(
    backbone="inception_v1", classes=20, frames=8, stride=1, size_px=64, short_side_px=64, mean=(0.5, 0.5, 0.5),
    std=(0.25, 0.25, 0.25), blocks=BLOCKS,
)  # fmt: skip
WIDTH, HEIGHT, FRAMES = 100, 64, 12


def small_model(spec: ModelSpec = SPEC, *, seed: int = 0) -> Model:
    """Random weights, with norms and a classifier that tell clips apart; the blocks are new and change nothing."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(seed)
        model = Model(spec)
        for norm in (each for each in model.stages.modules() if isinstance(each, torch.nn.BatchNorm3d)):
            norm.momentum = 1.0
        clips = torch.cat([torch.from_numpy(normalise(noise(i)[:8, :, :64], SPEC.mean, SPEC.std)) for i in range(4)])
        model.train()(clips)  # the norms' statistics
        classifier = model.eval().head.classifier
        torch.nn.init.normal_(classifier.weight)
        torch.nn.init.zeros_(classifier.bias)
        classifier.bias.copy_(-model(clips).mean(0))
    return model.eval()


def loud(model: Model) -> Model:
    """The same network, with a residual in every block that changes what comes after it."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(2)
        for block in model.blocks.values():
            torch.nn.init.normal_(block.g.weight)
            torch.nn.init.normal_(block.w_z[0].weight, std=0.001)
            torch.nn.init.normal_(block.w_z[1].weight)
            torch.nn.init.normal_(block.w_z[1].bias, std=0.02)
    return model


def noise(seed: int) -> np.ndarray:
    """Coarse coloured noise that moves: uint8 [T, H, W, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 256, (HEIGHT // 8, WIDTH // 4, 3), np.uint8)
    picture = np.kron(coarse, np.ones((8, 8, 1), np.uint8))  # twice as wide as the film
    return np.stack([picture[:, 4 * t : 4 * t + WIDTH] for t in range(FRAMES)])


def noise_film(path: Path, seed: int) -> Path:
    """Such noise as a film."""
    return write_frames(path, noise(seed))


def moving_square(frames: int = FRAMES) -> np.ndarray:
    """Where a square of 24 px is that moves right by 2 px a frame: float32 [T, H, W] of 0 and 1."""
    mask = np.zeros((frames, HEIGHT, WIDTH), np.float32)
    for t in range(frames):
        mask[t, 20:44, 24 + 2 * t : 48 + 2 * t] = 1
    return mask


def truth_folder(folder: Path, *, enlarged: int = 1) -> Path:
    """One film of a red square before grey noise, with its masks, which may be larger than the film."""
    mask = moving_square()
    grey = np.random.default_rng(0).integers(90, 130, (HEIGHT, WIDTH, 1), np.uint8)
    rgb = np.where(mask[..., None] > 0, np.array([230, 20, 20], np.uint8), grey)
    (folder / "square" / "masks").mkdir(parents=True)
    write_frames(folder / "square" / "clip.mp4", rgb)
    for t, each in enumerate(mask):
        big = np.kron(each, np.ones((enlarged, enlarged)))
        Image.fromarray(np.uint8(255 * big)).save(folder / "square" / "masks" / f"{t:05}.png")
    return folder
