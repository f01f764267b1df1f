"""The photographs that sample clips are made of, each with its author and licence.

All lie inside the installed scikit-image wheel. Only images whose docstring in `skimage/data/_fetchers.py` grants CC0
or the public domain stand here; coins ("no known copyright restrictions"), moon and motorcycle do not qualify.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image

DATA = Path(skimage.__file__).parent / "data"


@dataclass(frozen=True)
class Source:
    """One photograph: file name in skimage/data, who took it, under which licence, and where it comes from."""

    image: str
    author: str
    licence: str
    source: str


SOURCES = {
    "astronaut": Source(
        "astronaut.png", "NASA", "public domain", "https://flic.kr/p/r9qvLn (shuttle model beside Eileen Collins)"
    ),
    "brick": Source("brick.png", "CC0Textures", "CC0", "https://cc0textures.com/view.php?tex=Bricks25"),
    "chelsea": Source("chelsea.png", "Stefan van der Walt", "CC0", "skimage.data.chelsea"),
    "coffee": Source("coffee.png", "Rachel Michetti (at Pikolo Espresso Bar)", "CC0", "skimage.data.coffee"),
    "hubble": Source(
        "hubble_deep_field.jpg",
        "NASA",
        "public domain",
        "http://hubblesite.org/newscenter/archive/releases/2012/37/image/a/",
    ),
    "retina": Source(
        "retina.jpg",
        "Mikael Häggström",
        "CC0",
        "https://commons.wikimedia.org/wiki/File:Fundus_photograph_of_normal_left_eye.jpg",
    ),
}


@cache
def photograph(name: str) -> Image.Image:
    """The photograph `name` of SOURCES as an RGB image; callers must not draw on it."""
    return Image.open(DATA / SOURCES[name].image).convert("RGB")


def tinted(grey: Image.Image, dark: tuple[int, int, int], light: tuple[int, int, int]) -> Image.Image:
    """A grey photograph in colour: its 1st percentile becomes `dark`, its 99th `light`, linearly between."""
    values = np.asarray(grey.convert("L"), np.float32)
    low, high = np.percentile(values, (1, 99))
    part = np.clip((values - low) / (high - low), 0, 1)[..., None]  # [H, W, 1]
    return Image.fromarray(np.uint8(np.array(dark) * (1 - part) + np.array(light) * part + 0.5))
