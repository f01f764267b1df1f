"""Layers on smooth paths under a moving camera become frames and their truth. A recipe is data; nothing is random here.

Three frames of reference: a sprite's own pixels; the world, in pixels at camera zoom 1, x to the right and y down;
and the frame, in pixels. A layer at world point p shows at (p - parallax * camera) * zoom + half the frame's size.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter
from scipy.interpolate import CubicSpline

from samples.sprites import SPRITES

FRAMES = 96
RATE_HZ = 25
OVERSAMPLING = 2  # sprites are drawn at twice the size and averaged down, against jagged edges
LEAST_VISIBLE = 0.02  # below this part of an object, its box says hidden


@dataclass(frozen=True)
class Key:
    """Where a layer is at one frame: its sprite's centre in the world, height, clockwise tilt, and turn of a ball."""

    frame: int
    x: float
    y: float
    height_px: float
    tilt_deg: float = 0.0
    turn_rad: float = 0.0


@dataclass(frozen=True)
class CameraKey:
    """Where the camera looks at one frame."""

    frame: int
    x: float
    y: float
    zoom: float = 1.0


@dataclass(frozen=True)
class Shadow:
    """A soft shadow: offset in frame pixels, blur radius, and how much light it takes, in [0, 1]."""

    dx: float
    dy: float
    blur_px: float
    strength: float


@dataclass(frozen=True)
class Layer:
    """A sprite on a path. `name` is set for objects, whose boxes are recorded, and None for scenery."""

    sprite: str
    keys: tuple[Key, ...]
    name: str | None = None
    parallax: float = 1.0
    shadow: Shadow | None = None


@dataclass(frozen=True)
class Recipe:
    """A clip before it is drawn: layers from back to front, and the camera's path."""

    slug: str
    title: str
    description: str
    layers: tuple[Layer, ...]
    camera: tuple[CameraKey, ...]
    asked: tuple[str, int]  # object and frame of the suggested question
    width: int = 456
    height: int = 256
    vignette: float = 0.25  # how much darker the corners are


@dataclass(frozen=True)
class Truth:
    """Where one object is in one frame.

    box: left, top, right, bottom of its visible pixels, in frame pixels, right and bottom exclusive; None when hidden.
    visible: the part of the object's area that is inside the frame and not covered, in [0, 1].
    """

    box: tuple[int, int, int, int] | None
    visible: float


@dataclass(frozen=True)
class Pose:
    """Where a sprite shows in the frame: centre, height in frame pixels, clockwise tilt."""

    x: float
    y: float
    height_px: float
    tilt_deg: float


def at_frame(keys: Sequence[Key] | Sequence[CameraKey], frame: int) -> tuple[float, ...]:
    """All fields of the keys after `frame`, on the cubic spline through them; the first and last key hold outside."""
    table = np.array([list(vars(key).values()) for key in keys], np.float64)
    if len(table) == 1:
        return tuple(table[0, 1:].tolist())
    time = np.clip(frame, table[0, 0], table[-1, 0])
    return tuple(CubicSpline(table[:, 0], table[:, 1:], bc_type="natural")(time).tolist())


def pose_of(layer: Layer, recipe: Recipe, frame: int) -> tuple[Pose, float]:
    """The layer's pose in the frame, and its turn in radians."""
    camera_x, camera_y, zoom = at_frame(recipe.camera, frame)
    x, y, height_px, tilt_deg, turn_rad = at_frame(layer.keys, frame)
    left = (x - layer.parallax * camera_x) * zoom + recipe.width / 2
    top = (y - layer.parallax * camera_y) * zoom + recipe.height / 2
    return Pose(left, top, height_px * zoom, tilt_deg), turn_rad


@lru_cache(maxsize=32)
def halved(sprite: str, turn_rad: float, times: int) -> Image.Image:
    """The sprite's picture at 1 / 2**times of its size."""
    picture = SPRITES[sprite].draw(turn_rad).convert("RGBA")
    return picture.reduce(2**times) if times else picture


def drawn(layer: Layer, pose: Pose, turn_rad: float, window: tuple[int, int, int, int]) -> np.ndarray:
    """The layer within `window` (left, top, width, height in frame pixels): RGBA float32 [h, w, 4] in [0, 1]."""
    scale = OVERSAMPLING * pose.height_px / halved(layer.sprite, turn_rad, 0).height
    times = max(0, int(np.floor(-np.log2(scale))))
    picture = halved(layer.sprite, turn_rad, times)
    step = picture.height / pose.height_px  # sprite pixels per frame pixel
    cosine, sine = step * np.cos(np.radians(pose.tilt_deg)), step * np.sin(np.radians(pose.tilt_deg))
    left, top, width, height = window
    x, y = left - pose.x, top - pose.y
    inverse = (
        *(cosine / OVERSAMPLING, sine / OVERSAMPLING, cosine * x + sine * y + picture.width / 2),
        *(-sine / OVERSAMPLING, cosine / OVERSAMPLING, cosine * y - sine * x + picture.height / 2),
    )
    size = (width * OVERSAMPLING, height * OVERSAMPLING)
    large = picture.transform(size, Image.Transform.AFFINE, inverse, Image.Resampling.BICUBIC)
    return np.asarray(large.reduce(OVERSAMPLING), np.float32) / 255


def object_window(layer: Layer, pose: Pose, turn_rad: float, recipe: Recipe) -> tuple[int, int, int, int]:
    """The smallest window that surely holds both the whole frame and the whole object."""
    picture = halved(layer.sprite, turn_rad, 0)
    reach = pose.height_px * np.hypot(picture.width / picture.height, 1) / 2 + 2
    left, top = min(0, int(pose.x - reach) - 1), min(0, int(pose.y - reach) - 1)
    right, bottom = max(recipe.width, int(pose.x + reach) + 2), max(recipe.height, int(pose.y + reach) + 2)
    return left, top, right - left, bottom - top


def layer_in_frame(layer: Layer, recipe: Recipe, frame: int) -> tuple[np.ndarray, float]:
    """The layer's RGBA over the frame [H, W, 4] in [0, 1], and the object's whole area in pixels, cut off or not."""
    pose, turn_rad = pose_of(layer, recipe, frame)
    if layer.name is None:
        return drawn(layer, pose, turn_rad, (0, 0, recipe.width, recipe.height)), 0.0
    window = object_window(layer, pose, turn_rad, recipe)
    whole = drawn(layer, pose, turn_rad, window)
    inside = whole[-window[1] : recipe.height - window[1], -window[0] : recipe.width - window[0]]
    return inside, float(whole[..., 3].sum())


def shadow_of(alpha: np.ndarray, shadow: Shadow, zoom: float) -> np.ndarray:
    """The light that reaches the ground around an object of `alpha` [H, W]: factors [H, W, 1] in [0, 1]."""
    picture = Image.fromarray(np.uint8(alpha * 255 + 0.5))
    move = (1, 0, -shadow.dx * zoom, 0, 1, -shadow.dy * zoom)
    moved = picture.transform(picture.size, Image.Transform.AFFINE, move, Image.Resampling.BILINEAR)
    soft = moved.filter(ImageFilter.GaussianBlur(shadow.blur_px * zoom))
    return 1 - shadow.strength * np.asarray(soft, np.float32)[..., None] / 255


def vignette(recipe: Recipe) -> np.ndarray:
    """Brightness over the frame [H, W, 1]: 1 at the centre, less in the corners."""
    y, x = np.mgrid[-1 : 1 : recipe.height * 1j, -1 : 1 : recipe.width * 1j]
    return (1 - recipe.vignette * (x**2 + y**2)[..., None] / 2).astype(np.float32)


def truth_of(alpha: np.ndarray, uncovered: np.ndarray, area: float) -> Truth:
    """What is to be seen of an object of `alpha` [H, W] whose pixels are `uncovered` [H, W] by that part."""
    seen = alpha * uncovered
    visible = float(seen.sum() / area)
    rows, columns = (np.flatnonzero((seen > 0.5).any(axis)) for axis in (1, 0))
    if visible < LEAST_VISIBLE or not len(rows):
        return Truth(None, 0.0)
    return Truth((int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1), min(visible, 1.0))


def compose_frame(recipe: Recipe, frame: int) -> tuple[np.ndarray, dict[str, Truth]]:
    """One frame, uint8 [H, W, 3], and the truth of each object in it."""
    zoom = at_frame(recipe.camera, frame)[2]
    placed = [(layer, *layer_in_frame(layer, recipe, frame)) for layer in recipe.layers]
    rgb = np.zeros((recipe.height, recipe.width, 3), np.float32)
    for layer, rgba, _ in placed:
        if layer.shadow:
            rgb *= shadow_of(rgba[..., 3], layer.shadow, zoom)
        rgb += rgba[..., 3:] * (rgba[..., :3] - rgb)
    truth: dict[str, Truth] = {}
    uncovered = np.ones((recipe.height, recipe.width), np.float32)
    for layer, rgba, area in reversed(placed):
        if layer.name is not None:
            truth[layer.name] = truth_of(rgba[..., 3], uncovered, area)
        uncovered = uncovered * (1 - rgba[..., 3])
    return np.uint8(np.clip(rgb * vignette(recipe), 0, 1) * 255 + 0.5), truth


def compose(recipe: Recipe, frames: Sequence[int] = range(FRAMES)) -> tuple[np.ndarray, dict[str, list[Truth]]]:
    """The clip uint8 [T, H, W, 3] and, for each object, its truth at each of `frames`."""
    pictures, truths = zip(*(compose_frame(recipe, frame) for frame in frames), strict=True)
    names = [layer.name for layer in recipe.layers if layer.name is not None]
    return np.stack(pictures), {name: [truth[name] for truth in truths] for name in names}
