"""The U-Net of segmentation_models.pytorch with an encoder of the same kind, trained as in pytorch.py.

Its weights are random. Its decoder is the library's own, so the number of parameters differs from ours.
"""

from typing import Any

import segmentation_models_pytorch

from benchmarks.contestants import pytorch
from benchmarks.worker import CHANNELS

ENCODERS = {  # model.encoder → the library's name
    "efficientnet_lite0": "tu-tf_efficientnet_lite0",
    "mobilenet_v2": "mobilenet_v2",
    "efficientnet_b0": "efficientnet-b0",
    "resnet50": "resnet50",
    "vgg16": "vgg16",
}


class Contestant(pytorch.Contestant):
    def build(self) -> Any:
        """Make the network; its decoder has as many filters at each resolution as ours."""
        depth = self.setting.depth
        return segmentation_models_pytorch.Unet(
            ENCODERS[self.setting.encoder],
            encoder_depth=depth,
            encoder_weights=None,
            decoder_channels=[self.setting.filters * 2**level for level in reversed(range(depth))],
            in_channels=CHANNELS,
            classes=1,
        )
