"""Sprites: RGBA pictures cut from the photographs, with soft edges. Moving objects and scenery are both sprites.

Outlines are drawn by hand as ellipses and polygons on an enlarged photograph, then pulled in by a pixel and feathered
so that none of the old background shines through.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from samples import scenery
from samples.sources import photograph

Point = tuple[float, float]

# On coffee.png enlarged twofold.
SAUCER = (156, 101, 957, 778)
CUP_RIM = (346, 36, 816, 416)
SPOON_HANDLE = [(770, 300), (792, 142), (812, 133), (836, 134), (849, 150), (846, 180), (822, 250), (800, 330)]

# On astronaut.png from column 260, enlarged threefold: tank, boosters and orbiter, without the stand.
SHUTTLE = [
    *[(440, 0), (500, 0), (518, 40), (529, 90), (533, 165), (553, 118), (574, 160), (583, 200), (583, 640), (586, 690)],
    *[(583, 704), (586, 730), (597, 785), (580, 815), (530, 813), (524, 790), (530, 706), (498, 706), (470, 712)],
    *[(460, 745), (440, 770), (436, 800), (395, 805), (382, 770), (345, 800), (326, 814), (323, 790), (340, 740)],
    *[(360, 690), (286, 682), (286, 650), (302, 618), (356, 553), (354, 370), (366, 330), (368, 290), (361, 280)],
    *[(361, 190), (381, 126), (402, 165), (411, 190), (410, 100), (420, 45)],
]

# On chelsea.png enlarged 2.5 times: right ear, cheek, chin; the other three sides are the photograph's own edges.
CAT = [
    *[(110, -20), (1006, -20), (1000, 6), (985, 30), (945, 82), (938, 122), (920, 160), (893, 192), (902, 240)],
    *[(914, 285), (905, 340), (900, 395), (882, 448), (848, 500), (815, 532), (800, 570), (793, 610), (788, 650)],
    *[(765, 685), (740, 715), (760, 770), (-20, 770), (-20, 300), (55, 275), (80, 232), (76, 180), (86, 110), (96, 60)],
]


@dataclass(frozen=True)
class Sprite:
    """A picture to place in a clip: which SOURCES it uses, and how it is drawn when turned by some radians."""

    sources: tuple[str, ...]
    draw: Callable[[float], Image.Image]


def cut_out(picture: Image.Image, mask: Image.Image, feather_px: float) -> Image.Image:
    """`picture` where `mask` (L, same size) is white, its edge softened, cropped to what is left; RGBA."""
    inner = mask.filter(ImageFilter.MinFilter(3)).filter(ImageFilter.GaussianBlur(feather_px))
    result = picture.convert("RGB")
    result.putalpha(inner)
    return result.crop(inner.point(lambda value: 255 if value > 2 else 0).getbbox())


def enlarged(picture: Image.Image, factor: float) -> Image.Image:
    """`picture` times `factor`, with smooth interpolation."""
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.BICUBIC)


def outline(size: tuple[int, int], polygon: Sequence[Point]) -> Image.Image:
    """A mask (L) of `size`, white inside `polygon`."""
    mask = Image.new("L", size, 0)
    ImageDraw.Draw(mask).polygon(list(polygon), fill=255)
    return mask


@cache
def cup() -> Image.Image:
    """The espresso cup with saucer and spoon, 800 pixels wide."""
    picture = enlarged(photograph("coffee"), 2)
    mask = outline(picture.size, SPOON_HANDLE)
    pencil = ImageDraw.Draw(mask)
    pencil.ellipse(SAUCER, fill=255)
    pencil.ellipse(CUP_RIM, fill=255)
    return cut_out(picture, mask, 1.5)


@cache
def shuttle() -> Image.Image:
    """The shuttle model that stands behind the astronaut, without its stand."""
    picture = enlarged(photograph("astronaut").crop((260, 0, 512, 512)), 3)
    sharp = picture.filter(ImageFilter.UnsharpMask(radius=5, percent=120, threshold=0))
    return cut_out(sharp, outline(picture.size, SHUTTLE), 2)


@cache
def cat() -> Image.Image:
    """Chelsea's head, cut at the forehead and at the chest by the photograph's edges: keep those out of sight."""
    picture = enlarged(photograph("chelsea"), 2.5)
    return cut_out(picture, outline(picture.size, CAT), 4)


@cache
def skin(name: str) -> np.ndarray:
    """The square texture [S, S, 3], in [0, 1], that `ball` wraps around a sphere."""
    if name == "retina":  # the camera's round field has a notch at its edge, hence the inner square's margin
        picture = photograph("retina").crop((95, 95, 1316, 1316)).resize((512, 512), Image.Resampling.LANCZOS)
        picture = picture.point(lambda value: min(255, round(value * 1.3)))
    else:
        picture = scenery.cloud_bands()
    return np.asarray(picture, np.float32) / 255


def ball(texture: str, turn: float, *, light: tuple[float, float, float], ambient: float) -> Image.Image:
    """A sphere of 300 pixels that carries `texture`, turned by `turn` radians about the vertical axis.

    Args:
        light: direction to the lamp; x to the right, y down, z towards the viewer.
        ambient: brightness of the side that the lamp does not reach, in [0, 1].
    """
    size = 300
    axis = (np.arange(size) + 0.5) / size * 2 - 1
    x, y = np.meshgrid(axis, axis)
    radius = np.hypot(x, y)
    z = np.sqrt(np.clip(1 - radius**2, 0, 1))
    across = x * np.cos(turn) - z * np.sin(turn)  # the back shows the front's mirror image, so no seam appears
    skin_rgb = skin(texture)
    reach = (len(skin_rgb) - 1) / 2
    row, column = (np.rint((1 + 0.98 * value) * reach).astype(int).clip(0, len(skin_rgb) - 1) for value in (y, across))
    lamp = np.array(light) / np.linalg.norm(light)
    lit = np.clip(x * lamp[0] + y * lamp[1] + z * lamp[2], 0, 1)  # Lambert's cosine law
    rgb = skin_rgb[row, column] * (ambient + (1.15 - ambient) * lit)[..., None]
    alpha = np.clip((1 - radius) * size / 2 + 0.5, 0, 1)[..., None]
    return Image.fromarray(np.uint8(np.clip(np.concatenate([rgb, alpha], -1), 0, 1) * 255 + 0.5))


def still(draw: Callable[[], Image.Image]) -> Callable[[float], Image.Image]:
    """`draw` for a sprite that looks the same however it is turned."""
    return lambda _turn: draw()


SPRITES = {
    "cup": Sprite(("coffee",), still(cup)),
    "cup_mirrored": Sprite(("coffee",), still(cache(lambda: cup().transpose(Image.Transpose.FLIP_LEFT_RIGHT)))),
    "shuttle": Sprite(("astronaut",), still(shuttle)),
    "cat": Sprite(("chelsea",), still(cat)),
    "ball": Sprite(("retina",), lambda turn: ball("retina", turn, light=(-0.4, -0.6, 0.9), ambient=0.45)),
    "planet": Sprite(("coffee",), lambda turn: ball("wood", turn, light=(-0.6, -0.35, 0.8), ambient=0.1)),
    "parquet": Sprite(("coffee",), still(scenery.parquet)),
    "deep_field": Sprite(("hubble",), still(scenery.deep_field)),
    "room": Sprite(("chelsea",), still(scenery.room)),
    "wall": Sprite(("brick",), still(scenery.wall_with_window)),
    "sill": Sprite(("coffee",), still(scenery.sill)),
}

# What fills the frame or frames the view; everything else in SPRITES is an object.
SCENERY = ("parquet", "deep_field", "room", "wall", "sill")
