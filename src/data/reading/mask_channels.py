"""Reduce the channels of a mask file to one stored value per pixel: palettes, colours, one-hot, alpha and grey."""

import numpy as np

from src.data.reading.channels import GREY_TO_COLOUR, WHITE, Pixels, alpha_is_mask, one_hot_channel, pack_channels
from src.data.reading.images import convert_channels
from src.data.reading.stored_values import Kind
from src.data.reading.tiff import StoredImage
from src.data.reading.unreadable import Unreadable
from src.params import Masks


def to_values(image: StoredImage, colours: bool, masks: Masks) -> tuple[Pixels, Kind]:
    """Reduce the channels of a mask file to one stored value per pixel.

    Args:
        image: The pixels as stored.
        colours: Classes are named by colour: palettes and grey are read as colours.
        masks: The section data.masks.

    Returns:
        The values, [height, width], and what they are. For data.masks.read: instances, colours stay [height, width, 3].

    Raises:
        Unreadable: The channels are no mask.
    """
    made = masks.threshold > 0 or masks.read == "instances"  # the settings make foreground and background
    pixels = image.pixels
    if image.palette is not None and (colours or masks.threshold):  # the order of a palette is no scale
        pixels = image.colours()
    channels = pixels.shape[2] if pixels.ndim == 3 else 1
    may_be_one_hot = channels > 1 and not (channels == 3 and made) and not (channels <= 4 and image.alpha)
    if may_be_one_hot and (indices := one_hot_channel(pixels)) is not None:
        if masks.threshold >= channels:
            what = f"is one-hot: data.masks.threshold ({masks.threshold:g}) counts its {channels} channels, from 0"
            raise Unreadable(what, "data.masks.threshold: 1, to take all but channel 0 as foreground; or 0")
        return indices, "foreground" if made else "one-hot"
    if channels > 4 or (channels in (2, 4) and not image.alpha):
        what = f"has {channels} channels, which are neither RGB nor one-hot (exactly one of them set in each pixel)"
        raise Unreadable(what, "save a single one, with a value for each class")
    alpha = pixels[..., -1] if image.alpha else None
    if masks.read == "alpha" and alpha is None:
        raise Unreadable("has no alpha channel", "data.masks.read: auto, or save it with the mask in alpha")
    pixels = {1: pixels, 2: pixels[..., 0], 4: pixels[..., :3]}.get(channels, pixels)
    if alpha is not None and (masks.read == "alpha" or alpha_is_mask(pixels, alpha)):
        return np.ascontiguousarray(alpha), "foreground" if made else "alpha"
    if masks.read == "instances":
        grey = pixels.ndim == 3 and (pixels == pixels[..., :1]).all()
        return pixels[..., 0] if grey else pixels, "foreground"
    if pixels.dtype == bool and masks.threshold:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.ndim == 2 and (masks.threshold or not colours):
        if pixels.dtype == bool:
            return pixels.view(np.uint8), "bits"
        return np.ascontiguousarray(pixels), "foreground" if masks.threshold else "grey"
    return _colours_to_values(pixels, colours, masks)


def _colours_to_values(pixels: Pixels, colours: bool, masks: Masks) -> tuple[Pixels, Kind]:
    if pixels.dtype not in (np.uint8, bool):
        raise Unreadable(f"is in colours of type {pixels.dtype}", "save it with 8 bits a channel")
    if pixels.ndim == 2:
        return pixels.astype(np.uint32) * (WHITE if pixels.dtype == bool else GREY_TO_COLOUR), "colour"
    if masks.threshold:
        return convert_channels(pixels, 1)[:, :, 0], "foreground"
    if not colours and (pixels == pixels[..., :1]).all():
        return np.ascontiguousarray(pixels[..., 0]), "grey as RGB"
    return pack_channels(pixels), "colour"
