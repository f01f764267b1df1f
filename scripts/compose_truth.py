"""Compose clips with known truth for `nonlocal-lens score`: made for measuring, not shipped.

    python scripts/compose_truth.py OUT --clips 40 --seed 0
    python scripts/compose_truth.py OUT --sheet              contact sheets (PNG) beside them, to look at

Each clip has 64 frames at 25 Hz, which is what the networks see. Two objects, one of the sample clips' sprites and one
shape cut from a tinted photograph, move on smooth paths before a background under a moving camera, and a pillar in the
foreground passes before them. No two objects of a clip look alike. The JSON beside a clip holds the box of what is
visible of each object in every frame, null when it is hidden. Needs scikit-image (`pip install nonlocal-lens[dev]`).
"""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from compose_samples import contact_sheet
from PIL import Image
from samples.clip_file import sidecar, write_sidecar, write_video
from samples.compose import CameraKey, Key, Layer, Recipe, Truth, compose
from samples.recipes import OBJECTS, ON_TABLE, random_path
from samples.sources import SOURCES, photograph, tinted
from samples.sprites import SPRITES, Sprite, still

FRAMES = 64
TEXTURE_PX = 256
PILLAR_PX = 24  # of the texture; 31 in the frame: narrow, for a box that the pillar cuts in two holds it too
APART_PX = 80  # the objects' middles at the first frame: a box that another object lies in is no good truth
SEEN = 0.5  # an object is asked about where at least this part of it is visible


def texture(random: np.random.Generator) -> tuple[str, Image.Image]:
    """A square of some photograph in two colours of its own, and the photograph's name."""
    name = str(random.choice(sorted(SOURCES)))
    photo = photograph(name)
    side = int(min(photo.size) * random.uniform(0.3, 0.7))
    left, top = (int(random.integers(0, length - side + 1)) for length in photo.size)
    patch = photo.crop((left, top, left + side, top + side)).resize((TEXTURE_PX, TEXTURE_PX), Image.Resampling.BICUBIC)
    dark, light = random.integers(0, 110, 3), random.integers(130, 256, 3)
    return name, tinted(patch, tuple(dark.tolist()), tuple(light.tolist()))


def shape(picture: Image.Image, random: np.random.Generator) -> Image.Image:
    """A rounded figure of the texture, RGBA: |x|^n + |y|^n < 1, which fills 0.85 to 0.97 of its box."""
    width = int(TEXTURE_PX * random.uniform(0.7, 1.0))
    axes = [(np.arange(length) + 0.5) / length * 2 - 1 for length in (width, TEXTURE_PX)]
    x, y = np.abs(np.meshgrid(*axes))
    exponent = random.uniform(2.8, 8)
    edge = (1 - (x**exponent + y**exponent) ** (1 / exponent)) * width / 2  # pixels to the edge, roughly
    cut = picture.crop((0, 0, width, TEXTURE_PX))
    cut.putalpha(Image.fromarray(np.uint8(np.clip(edge, 0, 1) * 255)))
    return cut


def registered(name: str, source: str, picture: Image.Image) -> str:
    """A new sprite under that name."""
    SPRITES[name] = Sprite((source,), still(lambda: picture))
    return name


def paths_apart(random: np.random.Generator) -> tuple[tuple[Key, ...], tuple[Key, ...]]:
    """Two paths whose objects do not begin at one place; they may meet later."""
    while True:
        one, other = random_path(random), random_path(random)
        if np.hypot(one[0].x - other[0].x, one[0].y - other[0].y) >= APART_PX:
            return one, other


def truth_recipe(seed: int, number: int) -> Recipe:
    """One clip of a series; its own sprites are named after it."""
    random, slug = np.random.default_rng([seed, number]), f"truth-{seed}-{number:02}"
    source, picture = texture(random)
    figure = registered(f"{slug} figure", source, shape(picture, random))
    source, picture = texture(random)
    pillar = registered(f"{slug} pillar", source, picture.crop((0, 0, PILLAR_PX, TEXTURE_PX)).convert("RGBA"))
    source, picture = texture(random)
    ground = registered(f"{slug} ground", source, picture.resize((720, 560), Image.Resampling.BICUBIC).convert("RGBA"))
    background = str(random.choice(["parquet", "deep_field", ground]))
    sprite = str(random.choice(OBJECTS))
    pan, zooms = random.uniform(-60, 60, (2, 2)), random.uniform(0.95, 1.15, 2)
    paths = paths_apart(random)
    objects = [
        Layer(sprite, paths[0], name=sprite, parallax=0.0, shadow=ON_TABLE),
        Layer(figure, paths[1], name="figure", parallax=0.0, shadow=ON_TABLE),
    ]
    left, right = random.permutation([-1, 1]) * random.uniform(60, 160)  # it crosses the middle, either way
    before = Layer(pillar, (Key(0, left, 0, 330), Key(FRAMES - 1, right, 0, 330)), parallax=0.0)
    return Recipe(
        slug=slug,
        title=f"Known truth {number} of series {seed}",
        description="Two objects on smooth paths behind a passing pillar.",
        layers=(Layer(background, (Key(0, 0, 0, 560),)), *(objects[i] for i in random.permutation(2)), before),
        camera=tuple(
            CameraKey(frame, *map(float, place), zoom=float(zoom))
            for frame, place, zoom in zip((0, FRAMES - 1), pan, zooms, strict=True)
        ),
        asked=("figure", 0),
        vignette=0.0,
    )


def write_clip(recipe: Recipe, folder: Path) -> None:
    """Compose the clip and write its video and its JSON into `folder`."""
    frames, truth = compose(recipe, range(FRAMES))
    write_video(folder / f"{recipe.slug}.mp4", frames)
    content = sidecar(dataclasses.replace(recipe, asked=first_seen(truth)), truth)
    write_sidecar(folder / f"{recipe.slug}.json", content)


def first_seen(truth: dict[str, list[Truth]]) -> tuple[str, int]:
    """An object and the first frame in which much of it, or else most of all, is visible."""
    seen = {(name, frame): moment.visible for name, moments in truth.items() for frame, moment in enumerate(moments)}
    return next((place for place, part in seen.items() if part >= SEEN), max(seen, key=lambda place: seen[place]))


def main(arguments: Sequence[str]) -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT", help="folder of the clips")
    parser.add_argument("--clips", type=int, default=40, metavar="N", help="how many (default: 40)")
    parser.add_argument("--seed", type=int, default=0, help="another seed gives another series (default: 0)")
    parser.add_argument("--sheet", action="store_true", help="write contact sheets instead of clips")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    for number in range(options.clips):
        recipe = truth_recipe(options.seed, number)
        if options.sheet:
            contact_sheet(recipe, range(0, FRAMES, 8)).save(options.out / f"{recipe.slug}.png")
        else:
            write_clip(recipe, options.out)
        print(options.out / recipe.slug)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
