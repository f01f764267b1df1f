"""Compose the sample clips that ship with Nonlocal Lens, or random ones for scoring arrows.

    python scripts/compose_samples.py                        write app/samples/*.mp4 and *.json
    python scripts/compose_samples.py --check                compare them with what the recipes give
    python scripts/compose_samples.py --random 20 --out DIR  twenty random clips, from seeds 0 to 19
    python scripts/compose_samples.py --sheet DIR            contact sheets (PNG) to look at

Each clip has 96 frames at 25 Hz; the networks see the first 64 and the centre square. The JSON beside it holds, for
each object, its box in every frame (visible pixels: left, top, right, bottom; null when hidden), and which photographs
were used. Recipes are data in scripts/samples/recipes.py. Needs scikit-image (`pip install nonlocal-lens[dev]`).
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw
from samples.clip_file import psnr_db, read_video, sidecar, write_sidecar, write_video
from samples.compose import FRAMES, Recipe, compose
from samples.recipes import RECIPES, random_recipe

FOLDER = Path(__file__).parent.parent / "app" / "samples"
LEAST_PSNR_DB = 32.0  # crf 20 leaves about 38 dB; another recipe, or another frame, falls below 25


def write_clip(recipe: Recipe, folder: Path) -> None:
    """Compose the clip and write its video and its JSON into `folder`."""
    frames, truth = compose(recipe)
    write_video(folder / f"{recipe.slug}.mp4", frames)
    write_sidecar(folder / f"{recipe.slug}.json", sidecar(recipe, truth))


def differences(recipe: Recipe, folder: Path, frames: Sequence[int]) -> list[str]:
    """In words, how the clip on disk differs from its recipe at `frames`; empty when it does not."""
    video = read_video(folder / f"{recipe.slug}.mp4")
    content = json.loads((folder / f"{recipe.slug}.json").read_text(encoding="utf-8"))
    if video.shape != (FRAMES, recipe.height, recipe.width, 3):
        return [f"{recipe.slug}: frames, height, width are {video.shape[:3]}"]
    pictures, truth = compose(recipe, frames)
    found = [
        f"{recipe.slug}: frame {frame} has {psnr_db(video[frame], picture):.1f} dB, expected {LEAST_PSNR_DB}"
        for frame, picture in zip(frames, pictures, strict=True)
        if psnr_db(video[frame], picture) < LEAST_PSNR_DB
    ]
    for entry in content["objects"]:
        boxes = [moment.box and list(moment.box) for moment in truth[entry["name"]]]
        if boxes != [entry["boxes"][frame] for frame in frames]:
            found.append(f"{recipe.slug}: boxes of {entry['name']!r} differ")
    return found


def contact_sheet(recipe: Recipe, frames: Sequence[int] = range(0, FRAMES, 8)) -> Image.Image:
    """Every eighth frame, with the boxes of the objects and the centre crop drawn in."""
    pictures, truth = compose(recipe, frames)
    sheet = Image.new("RGB", (3 * recipe.width, -(-len(frames) // 3) * recipe.height))
    for place, picture in enumerate(pictures):
        image = Image.fromarray(picture)
        pencil = ImageDraw.Draw(image)
        side = (recipe.width - 224) // 2
        pencil.rectangle((side, 16, side + 223, 239), outline=(255, 255, 255))
        for moments, colour in zip(truth.values(), ("lime", "cyan", "yellow", "magenta"), strict=False):
            if box := moments[place].box:
                pencil.rectangle((box[0], box[1], box[2] - 1, box[3] - 1), outline=colour)
        sheet.paste(image, (place % 3 * recipe.width, place // 3 * recipe.height))
    return sheet


def main(arguments: Sequence[str]) -> int:
    """Run the command line; 1 when --check finds a difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of the clips (default: app/samples)")
    parser.add_argument("--only", choices=sorted(RECIPES), help="one of the three clips")
    task = parser.add_mutually_exclusive_group()
    task.add_argument("--check", action="store_true", help="compare with the files on disk, write nothing")
    task.add_argument("--random", type=int, metavar="N", help="compose N random clips instead of the three")
    parser.add_argument("--sheet", type=Path, metavar="DIR", help="write contact sheets there, no clips")
    options = parser.parse_args(arguments)
    recipes = [recipe for recipe in RECIPES.values() if options.only in (None, recipe.slug)]
    if options.check:
        found = [line for recipe in recipes for line in differences(recipe, options.out, range(FRAMES))]
        print("\n".join(found) or f"{options.out}: as composed")
        return 1 if found else 0
    folder = options.sheet or options.out
    folder.mkdir(parents=True, exist_ok=True)
    if options.random is not None:
        recipes = [random_recipe(seed) for seed in range(options.random)]
    for recipe in recipes:
        if options.sheet:
            contact_sheet(recipe).save(folder / f"{recipe.slug}.png")
        else:
            write_clip(recipe, folder)
        print(folder / recipe.slug)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
