"""The same network in PyTorch on images in memory, with its normalisations folded into its convolutions, too."""

from typing import Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from benchmarks.contestants.pytorch import UNet
from benchmarks.worker import CHANNELS, Setting, rate


class Contestant:
    def __init__(self, setting: Setting) -> None:
        torch.manual_seed(0)
        form = {"device": "cuda" if torch.cuda.is_available() else "cpu", "memory_format": torch.channels_last}
        self.setting, self.network = setting, UNet(setting.filters, setting.depth).to(**form)
        weights = [weight for weight in self.network.state_dict().values() if weight.is_floating_point()]
        self.parameters = sum(weight.numel() for weight in weights)
        self.network.eval()
        for block in self.network.modules():
            if isinstance(block, nn.Sequential):
                fold(block)
        self.images = torch.randn(setting.batch, CHANNELS, setting.side, setting.side).to(**form)

    def first_step(self) -> None:
        self.predict()

    def facts(self) -> dict[str, Any]:
        return {"parameters": self.parameters, "precision": "bfloat16" if self.setting.bfloat16 else "float32"}

    def rates(self) -> dict[str, float]:
        """Megapixels a second."""
        megapixels = self.setting.images * self.setting.side**2 / 1e6
        return {"network": rate(megapixels, lambda: [self.predict() for _ in range(self.setting.steps)])}

    def predict(self) -> Any:
        with torch.inference_mode(), torch.autocast(self.images.device.type, torch.bfloat16, self.setting.bfloat16):
            return self.network(self.images).cpu()


def fold(block: nn.Sequential) -> None:
    """Every normalisation into the convolution before it."""
    for place in range(len(block) - 1):
        convolution, norm = block[place], block[place + 1]
        if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
            block[place], block[place + 1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()
