"""A linear probe on two classes: does a network with its blocks tell fights from other scenes better than without?

    python scripts/probe.py ../shared/training --model default --seeds 5

Features are the network's last ones (the mean over places of the last stage), of the middle clip of each video of the
surveillance set (Akti et al., IPTA 2019). For each seed three tenths of the *source videos* are held out: no scene is
on both sides; the same split for both networks.
"""

import argparse
import csv
import json
from pathlib import Path

import numpy as np
import torch

import nonlocal_core as nl
from nonlocal_core.errors import VideoError
from nonlocal_core.learn.clips import Protocol, evaluation_views
from nonlocal_core.learn.hidden import Halves
from nonlocal_core.model.precision import computing_in, sooner
from nonlocal_core.video import normalise

MIDDLE = Protocol(clips=1, crops="centre", starts="mmaction2")
HELD_OUT = 0.3
DECAY = 1e-2  # L2 of the probe's weights, on standardised features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("training", type=Path, help="folder of MANIFEST.tsv and clips/")
    parser.add_argument("--model", default="default")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with (options.training / "MANIFEST.tsv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["file"].startswith("fight__")]
    features, kept = features_of(nl.load_model(options.model), rows, options.training / "clips")
    labels = np.array([row["content"] == "fight" for row in kept])
    groups = np.array([row["split_group"] for row in kept])
    accuracy = {name: [] for name in features}
    for seed in range(options.seeds):
        held_out = split(groups, seed)
        for name, values in features.items():
            accuracy[name].append(probe(values, labels, held_out))
        told = ", ".join(f"{name} {100 * values[-1]:.1f} %" for name, values in accuracy.items())
        print(f"seed {seed}: {held_out.sum()} videos held out ({100 * labels[held_out].mean():.0f} % fights): {told}")
    for name, values in accuracy.items():
        print(f"{name}: mean {100 * np.mean(values):.1f} %, standard deviation {100 * np.std(values, ddof=1):.1f}")
    if options.out:
        options.out.write_text(json.dumps({"videos": len(kept), "accuracy": accuracy}, indent=2))


@torch.inference_mode()
def features_of(model, rows, folder):
    """{network: [N, C]} and the rows whose video could be read."""
    halves = Halves(model.to(memory_format=torch.channels_last_3d))
    found, kept = {"without blocks": [], "with blocks": []}, []
    for number, row in enumerate(rows):
        try:
            clip = next(iter(evaluation_views(folder / row["file"], model.spec, MIDDLE)))
        except VideoError as error:
            print(f"cannot be read: {row['file']}: {error}")
            continue
        batch = torch.from_numpy(normalise(clip, model.spec.mean, model.spec.std))
        with computing_in(sooner("cpu"), "cpu"):
            x = halves.front(batch.contiguous(memory_format=torch.channels_last_3d))
            for name in found:
                _, (*_, last) = halves.rest(x, name.split()[0])
                found[name].append(last.float().mean((2, 3, 4))[0].numpy())
        kept.append(row)
        if number % 50 == 0:
            print(f"[{number + 1}/{len(rows)}]", flush=True)
    return {name: np.stack(values) for name, values in found.items()}, kept


def split(groups, seed):
    """Which videos are held out [N]: about three tenths of them, whole sources only."""
    sources = np.random.default_rng(seed).permutation(np.unique(groups))
    sizes = np.cumsum([(groups == source).sum() for source in sources])
    return np.isin(groups, sources[sizes <= HELD_OUT * len(groups)])


def probe(features, labels, held_out):
    """Accuracy on what is held out, of a logistic regression on the rest."""
    seen = features[~held_out]
    x = torch.from_numpy((features - seen.mean(0)) / (seen.std(0) + 1e-6))
    y = torch.from_numpy(labels.astype(np.float32))
    train, test = torch.from_numpy(~held_out), torch.from_numpy(held_out)
    weights, bias = torch.zeros(x.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimiser.zero_grad()
        value = torch.nn.functional.binary_cross_entropy_with_logits(x[train] @ weights + bias, y[train])
        value = value + DECAY * weights.square().sum()
        value.backward()
        return value

    optimiser.step(loss)
    with torch.no_grad():
        return float(((x[test] @ weights + bias > 0) == (y[test] > 0.5)).float().mean())


if __name__ == "__main__":
    main()
