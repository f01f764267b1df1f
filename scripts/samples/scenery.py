"""Backgrounds and foregrounds: a parquet of wood, a brick wall with a window, a blurred room, the deep sky."""

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from skimage.transform import warp

from samples.sources import photograph, tinted

GRAIN_DEGREES = -36  # brings the grain of the table in coffee.png to the horizontal
PLANK = (104, 26)  # pixels of the photograph; about 17 x 4 cm beside the saucer
OAK = np.array([172, 126, 84])  # colour of the planks
OPENING = (150, 98, 530, 398)  # the window in the wall: left, top, right, bottom

# How skimage.data.brick slanted its wall (its docstring): applied once more, the other way, it makes bricks level.
BRICK_SLANT = np.array([[0.54764, -0.00219, 0], [-0.12822, 0.54688, 0], [-0.00022, 0, 1]])


def bare_wood() -> tuple[np.ndarray, np.ndarray]:
    """The table of coffee.png with level grain [H, W, 3], and where nothing stands on it [H, W] (bool)."""
    photo = photograph("coffee")
    free = Image.new("L", photo.size, 255)
    pencil = ImageDraw.Draw(free)
    pencil.ellipse((60, 35, 490, 425), fill=0)  # saucer and its shadow
    pencil.ellipse((160, 8, 430, 215), fill=0)  # cup and spoon
    pencil.polygon([(0, 0), (165, 0), (0, 122)], fill=0)  # beyond the table's edge
    turned = photo.rotate(GRAIN_DEGREES, Image.Resampling.BICUBIC, expand=True)
    mask = free.rotate(GRAIN_DEGREES, Image.Resampling.BICUBIC, expand=True, fillcolor=0)
    return np.asarray(turned, np.float32), np.asarray(mask) > 250


def plank_corners() -> np.ndarray:
    """All (top, left) [N, 2] at which a whole plank of bare wood can be cut."""
    _, free = bare_wood()
    width, height = PLANK
    filled = np.pad(free.cumsum(0).cumsum(1), ((1, 0), (1, 0)))  # integral image
    sums = filled[height:, width:] - filled[:-height, width:] - filled[height:, :-width] + filled[:-height, :-width]
    return np.argwhere(sums == width * height)


def plank(wood: np.ndarray, corner: np.ndarray, random: np.random.Generator) -> Image.Image:
    """One plank from `corner`, levelled to a brightness of its own, perhaps mirrored, with dark edges."""
    top, left = corner
    piece = wood[top : top + PLANK[1], left : left + PLANK[0]]
    tone = OAK * random.uniform(0.93, 1.06)
    piece = tone * (0.35 + 0.65 * piece.mean(-1, keepdims=True) / piece.mean())  # the cups are red: the wood is not
    if random.random() < 0.5:
        piece = piece[:, ::-1]
    image = Image.fromarray(np.uint8(np.clip(piece, 0, 255))).resize((PLANK[0] * 2, PLANK[1] * 2), 3)
    ImageDraw.Draw(image, "RGBA").rectangle((0, 0, image.width - 1, image.height - 1), outline=(40, 22, 10, 110))
    return image


@cache
def parquet() -> Image.Image:
    """A table top of staggered planks, 1456 x 936, lit from the upper left."""
    random = np.random.default_rng(7)
    wood, _ = bare_wood()
    corners = plank_corners()
    width, height = 2 * PLANK[0], 2 * PLANK[1]
    table = Image.new("RGB", (7 * width, 18 * height))
    for row in range(18):
        shift = int(random.uniform(0.25, 0.75) * width) if row % 2 else int(random.uniform(-0.2, 0.2) * width)
        for column in range(-1, 8):
            piece = plank(wood, corners[random.integers(len(corners))], random)
            table.paste(piece, (column * width + shift, row * height))
    return lit(table)


def lit(picture: Image.Image) -> Image.Image:
    """`picture` brighter at the upper left and darker at the lower right, as under a lamp."""
    rgb = np.asarray(picture, np.float32)
    y, x = np.mgrid[0 : 1 : rgb.shape[0] * 1j, 0 : 1 : rgb.shape[1] * 1j]
    light = 1.22 - 0.5 * np.hypot(x - 0.3, y - 0.2)[..., None]
    return Image.fromarray(np.uint8(np.clip(rgb * light, 0, 255)))


def cloud_bands() -> Image.Image:
    """Level grain from the table's right side, stretched to the cloud bands of a planet, 512 x 512."""
    wood, _ = bare_wood()
    strip = wood[225:415, 535:575]
    bands = strip.mean(1, keepdims=True) + 0.5 * (strip - strip.mean(1, keepdims=True))
    vivid = bands.mean((0, 1)) * 1.25 + 2.0 * (bands - bands.mean((0, 1)))
    mirrored = np.concatenate([vivid, vivid[::-1]])  # more bands, and poles of one colour
    return Image.fromarray(np.uint8(mirrored.clip(0, 255))).resize((512, 512), Image.Resampling.BICUBIC)


@cache
def deep_field() -> Image.Image:
    """The Hubble deep field, 1000 x 872, sky black rather than grey."""
    rgb = np.asarray(photograph("hubble"), np.float32)
    return Image.fromarray(np.uint8(np.clip((rgb - 14) * 1.06, 0, 255)))


@cache
def room() -> Image.Image:
    """The blurred room behind the cat, 600 x 450."""
    corner = photograph("chelsea").crop((372, 60, 451, 300)).resize((600, 450), Image.Resampling.BICUBIC)
    return corner.filter(ImageFilter.GaussianBlur(11))


@cache
def brick_wall() -> Image.Image:
    """A level brick wall, 640 x 640."""
    grey = photograph("brick").convert("L").rotate(90).resize((1024, 1024), Image.Resampling.BICUBIC)
    level = warp(np.asarray(grey) / 255.0, BRICK_SLANT, output_shape=(2048, 2048), order=3)
    wall = Image.fromarray(np.uint8(level[330:1610, 20:1300].clip(0, 1) * 255))
    return tinted(wall.resize((640, 640), Image.Resampling.LANCZOS), (112, 58, 44), (226, 206, 186))


@cache
def wall_with_window() -> Image.Image:
    """The wall, RGBA, with a see-through window that has a soft dark reveal and a pale frame."""
    wall = brick_wall().convert("RGBA")
    left, top, right, bottom = OPENING
    shade = Image.new("L", wall.size, 0)
    ImageDraw.Draw(shade).rectangle((left - 10, top - 10, right + 10, bottom + 12), fill=150)
    wall.paste((28, 14, 10, 255), mask=shade.filter(ImageFilter.GaussianBlur(9)))
    pencil = ImageDraw.Draw(wall)
    for inset, colour in ((9, (216, 206, 190, 255)), (7, (238, 230, 216, 255)), (2, (176, 164, 148, 255))):
        pencil.rectangle((left - inset, top - inset, right + inset, bottom + inset), fill=colour)
    wall.paste(reveal_shade((right - left, bottom - top)), (left, top))
    return wall


def reveal_shade(size: tuple[int, int]) -> Image.Image:
    """What the wall's thickness shades inside the opening: soft black along the top and the left, else see-through."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    alpha = 130 * np.exp(-y / 16) + 90 * np.exp(-x / 14)
    black = np.zeros((size[1], size[0], 4), np.uint8)
    black[..., 3] = np.where(alpha < 4, 0, alpha.clip(0, 170))
    return Image.fromarray(black)


@cache
def sill() -> Image.Image:
    """A wooden window sill, a board with a lit upper edge."""
    wood, _ = bare_wood()
    piece = Image.fromarray(np.uint8(wood[84:104, 185:345].clip(0, 255)))  # behind the cup the grain runs longest
    board = piece.resize((520, 26), Image.Resampling.BICUBIC)
    pencil = ImageDraw.Draw(board, "RGBA")
    pencil.rectangle((0, 0, 520, 3), fill=(255, 220, 180, 110))
    pencil.rectangle((0, 20, 520, 26), fill=(30, 12, 4, 120))
    return board.convert("RGBA")
