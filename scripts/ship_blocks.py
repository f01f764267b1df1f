"""The blocks of a model file, alone and as float16: what ships beside the backbone's weights.

python scripts/ship_blocks.py related.safetensors nonlocal_core/zoo/weights/i3d-related-blocks.safetensors
"""

import argparse
from dataclasses import replace
from pathlib import Path

from nonlocal_core.zoo.checkpoint import read_checkpoint, write_checkpoint


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    whole = read_checkpoint(options.model)
    blocks = {name: array for name, array in whole.tensors.items() if name.startswith("blocks.")}
    write_checkpoint(options.out, replace(whole, tensors=blocks), precision="float16")
    values = sum(array.size for array in blocks.values())
    print(
        f"{options.out}: {len(blocks)} tensors, {values / 1e6:.2f} M values, {options.out.stat().st_size / 1e6:.1f} MB"
    )


if __name__ == "__main__":
    main()
