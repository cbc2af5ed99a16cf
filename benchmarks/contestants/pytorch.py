"""The same network and loss in PyTorch, channels last, in float32 or with bfloat16 where autocast chooses it.

Imports nothing of the project but the protocol: PyTorch may live in another environment.
"""

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from benchmarks.worker import CHANNELS, Setting, rate


class UNet(nn.Module):
    """Images [batch, channels, height, width] → logits [batch, 1, height, width]."""

    def __init__(self, filters: int, depth: int) -> None:
        super().__init__()
        widths = [filters * 2**level for level in range(depth + 1)]
        self.down = nn.ModuleList(_block(*pair) for pair in zip([CHANNELS, *widths], widths, strict=False))
        self.grow = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, 2, bias=False) for width in widths[:-1])
        self.up = nn.ModuleList(_block(2 * width, width) for width in widths[:-1])
        self.logits = nn.Conv2d(filters, 1, 1)

    def forward(self, x: Any) -> Any:
        skips = []
        for block in self.down[:-1]:
            x = block(x)
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = self.down[-1](x)
        for grow, block, skip in reversed(list(zip(self.grow, self.up, skips, strict=True))):
            x = block(torch.cat([skip, grow(x)], 1))
        return self.logits(x)


def _block(channels: int, filters: int) -> Any:
    parts: list[Any] = []
    for inputs in (channels, filters):
        parts += [
            nn.Conv2d(inputs, filters, 3, padding=1, bias=False),
            nn.BatchNorm2d(filters, eps=1e-3),
            nn.ReLU(True),
        ]
    return nn.Sequential(*parts)


class Contestant:
    def __init__(self, setting: Setting) -> None:
        self.setting = setting
        torch.manual_seed(0)
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        form = {"device": self.device, "memory_format": torch.channels_last}
        self.network = self.build().to(**form)
        self.optimizer = torch.optim.Adam(self.network.parameters())
        self.images = torch.randn(setting.batch, CHANNELS, setting.side, setting.side).to(**form)
        self.masks = (torch.rand(setting.batch, 1, setting.side, setting.side) > 0.8).float().to(self.device)

    def build(self) -> Any:
        """Make the network, in float32: images [batch, channels, height, width] → logits [batch, 1, height, width]."""
        return UNet(self.setting.filters, self.setting.depth)

    def first_step(self) -> None:
        self._step()

    def facts(self) -> dict[str, Any]:
        """BatchNorm2d's counters of batches are no statistics, and not counted."""
        weights = [weight for weight in self.network.state_dict().values() if weight.is_floating_point()]
        parameters = sum(weight.numel() for weight in weights)
        return {"parameters": parameters, "precision": "bfloat16" if self.setting.bfloat16 else "float32"}

    def rates(self) -> dict[str, float]:
        images, steps = self.setting.images, range(self.setting.steps)
        rates = {"train": rate(images, lambda: [self._step() for _ in steps])}
        self.network.eval()
        with torch.inference_mode():
            rates["predict"] = rate(images, lambda: [self._logits().cpu() for _ in steps])
        self.network.train()
        return rates

    def _logits(self) -> Any:
        with torch.autocast(self.device, torch.bfloat16, enabled=self.setting.bfloat16):
            return self.network(self.images)

    def _step(self) -> float:
        """One step on binary cross-entropy + 1 - Dice over the batch, computed in float32."""
        self.optimizer.zero_grad(set_to_none=True)
        logits = self._logits().float()
        foreground = torch.sigmoid(logits)
        overlap, total = (foreground * self.masks).sum(), foreground.sum() + self.masks.sum()
        entropy = functional.binary_cross_entropy_with_logits(logits, self.masks)
        loss = entropy + 1 - (2 * overlap + 1) / (total + 1)
        loss.backward()
        self.optimizer.step()
        return loss.item()
