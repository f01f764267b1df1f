"""The three clips that ship, as data, and recipes drawn at random for scoring arrows on many clips."""

import numpy as np

from samples.compose import CameraKey, Key, Layer, Recipe, Shadow

ON_TABLE = Shadow(dx=3, dy=9, blur_px=7, strength=0.62)
UNDER_BALL = Shadow(dx=5, dy=8, blur_px=4, strength=0.6)

TWO_CUPS = Recipe(
    slug="two-cups",
    title="Two cups and a ball",
    description="Two espresso cups slide past each other on a wooden table while a red ball rolls by.",
    layers=(
        Layer("parquet", (Key(0, 364, 234, 468),)),
        Layer(
            "cup",
            (Key(0, 306, 206, 98, -4), Key(32, 345, 194, 95), Key(63, 416, 198, 97, 3), Key(95, 520, 212, 103, 6)),
            name="far cup",
            shadow=ON_TABLE,
        ),
        Layer(
            "cup_mirrored",
            (Key(0, 424, 282, 120, 5), Key(32, 372, 272, 118), Key(63, 308, 262, 114, -4), Key(95, 236, 244, 106, -8)),
            name="near cup",
            shadow=ON_TABLE,
        ),
        Layer(
            "ball",
            (
                Key(0, 278, 304, 44),
                Key(32, 328, 316, 46, 0, 2.2),
                Key(63, 390, 322, 47, 0, 4.9),
                Key(95, 486, 316, 46, 0, 9.1),
            ),
            name="ball",
            shadow=UNDER_BALL,
        ),
    ),
    camera=(CameraKey(0, 362, 238, 1.0), CameraKey(95, 370, 234, 1.05)),
    asked=("far cup", 0),
)

CAT_WINDOW = Recipe(
    slug="cat-window",
    title="A cat at the window",
    description="A cat leans out from behind a brick wall and nudges a cup along the window sill.",
    layers=(
        Layer("room", (Key(0, 0, -38, 280),), parallax=0.8),
        Layer(
            "cat",
            (Key(0, -112, -41, 198, 1), Key(30, -52, -42, 200), Key(63, 14, -43, 208, -1), Key(95, -30, -42, 203)),
            name="cat",
        ),
        Layer("wall", (Key(0, 0, 0, 384),)),
        Layer("sill", (Key(0, 12, 54, 15),), shadow=Shadow(dx=2, dy=5, blur_px=4, strength=0.5)),
        Layer(
            "cup",
            (Key(0, 22, 27, 58), Key(22, 26, 27, 58), Key(63, 84, 27, 58), Key(80, 92, 27, 58), Key(95, 93, 27, 58)),
            name="cup",
            shadow=Shadow(dx=2, dy=3, blur_px=3, strength=0.45),
        ),
    ),
    camera=(CameraKey(0, 12, -34, 1.0), CameraKey(95, 12, -38, 1.07)),
    asked=("cat", 32),
    width=340,
)

SHUTTLE_ORBIT = Recipe(
    slug="shuttle-orbit",
    title="A shuttle leaves a planet",
    description="A space shuttle comes out from behind a striped planet, before the galaxies of the Hubble deep field.",
    layers=(
        Layer("deep_field", (Key(0, 0, 0, 872),)),
        Layer(
            "shuttle",
            (
                *(Key(0, 30, -24, 74, -28), Key(24, -6, -58, 84, -52), Key(48, -46, -52, 96, -84)),
                *(Key(63, -62, -22, 106, -112), Key(95, -84, 64, 130, -158)),
            ),
            name="shuttle",
            parallax=0.0,
        ),
        Layer("planet", (Key(0, 66, 34, 128, 18, 0.0), Key(95, 40, 26, 140, 18, 0.5)), name="planet", parallax=0.0),
    ),
    camera=(CameraKey(0, -120, 60), CameraKey(95, 60, -20)),
    asked=("shuttle", 32),
)

RECIPES = {recipe.slug: recipe for recipe in (TWO_CUPS, CAT_WINDOW, SHUTTLE_ORBIT)}

OBJECTS = ("cup", "cup_mirrored", "ball", "shuttle", "planet")


def random_path(random: np.random.Generator) -> tuple[Key, ...]:
    """A path of four keys through the middle of the frame, in pixels from its centre."""
    start, drift = random.uniform((-75, -65), (75, 65)), random.uniform(-35, 35, (3, 2))
    places = np.clip(start + np.concatenate([np.zeros((1, 2)), drift.cumsum(0)]), (-85, -75), (85, 75))
    heights = random.uniform(45, 105) * np.linspace(1, random.uniform(0.75, 1.35), 4)
    tilts, turns = np.linspace(0, random.uniform(-30, 30), 4), np.linspace(0, random.uniform(-3, 3), 4)
    table = np.column_stack([places, heights, tilts, turns])  # [4, 5]
    return tuple(Key(round(frame), *map(float, row)) for frame, row in zip(np.linspace(0, 95, 4), table, strict=True))


def random_recipe(seed: int) -> Recipe:
    """A clip of two to four objects on a panned background; the first two show the same sprite."""
    random = np.random.default_rng(seed)
    twin = str(random.choice(OBJECTS))
    others = random.permutation([sprite for sprite in OBJECTS if sprite != twin])[: random.integers(0, 3)]
    sprites = [twin, twin, *map(str, others)]
    background = "parquet" if random.random() < 0.5 else "deep_field"
    pan = random.uniform(-90, 90, (2, 2))
    objects = tuple(
        Layer(sprite, random_path(random), name=f"{sprite} {place}", parallax=0.0, shadow=ON_TABLE)
        for place, sprite in enumerate(sprites)
    )
    return Recipe(
        slug=f"random-{seed}",
        title=f"Random clip {seed}",
        description="Objects on random smooth paths.",
        layers=(Layer(background, (Key(0, 0, 0, 560),)), *objects),
        camera=(CameraKey(0, *map(float, pan[0])), CameraKey(95, *map(float, pan[1]))),
        asked=(f"{sprites[-1]} {len(sprites) - 1}", 0),
    )
