"""Listings of the desk's training videos, as `relate`, `train` and `score` read them.

    python scripts/training_listing.py ../shared/training OUT    # writes OUT/train.csv and OUT/holdout.csv

Of the rows that train, those in which something moves, and not more than a few of one source video; of those held
out, all. The label is the manifest's word for the content; nothing here reads it.
"""

import argparse
import csv
from collections import Counter
from pathlib import Path

LEAST_MOTION = 1.5  # the manifest's motion_sd: below it, nothing moves that could be learnt from
MOST_OF_A_SOURCE = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path, help="folder of MANIFEST.tsv and clips/")
    parser.add_argument("out", type=Path, help="folder for the two listings")
    options = parser.parse_args()
    with (options.training / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    options.out.mkdir(parents=True, exist_ok=True)
    moving = [row for row in rows if row["split"] == "train" and float(row["motion_sd"] or 0) >= LEAST_MOTION]
    write(options.out / "train.csv", few_of_each(moving), options.training)
    write(options.out / "holdout.csv", [row for row in rows if row["split"] == "holdout"], options.training)


def few_of_each(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows without those beyond the first few of their source video."""
    seen: Counter[str] = Counter()
    kept = []
    for row in rows:
        seen[row["split_group"]] += 1
        if seen[row["split_group"]] <= MOST_OF_A_SOURCE:
            kept.append(row)
    return kept


def write(path: Path, rows: list[dict[str, str]], training: Path) -> None:
    """A listing of `path,label`."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label"])
        writer.writerows([(training / "clips" / row["file"]).resolve(), row["content"]] for row in rows)
    print(f"{path}: {len(rows)} videos")


if __name__ == "__main__":
    main()
