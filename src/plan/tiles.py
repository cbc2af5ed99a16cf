"""How large images are cut into tiles for prediction. The memory estimate, the plan and the prediction depend on it."""

TILE = 1024  # pixels: larger images are predicted in tiles of this side
HALO = 6  # times 2 ** depth pixels around a tile: the receptive field of the network, so that tiles change no result


def tile_pixels(height: int, width: int, depth: int) -> int:
    """Count the pixels of the largest tile of an image, with its halo and padding.

    Args:
        height: Height of the image in pixels.
        width: Width of the image in pixels.
        depth: How often the network halves the resolution.
    """
    multiple = 2**depth
    tile = TILE // multiple * multiple + 2 * HALO * multiple
    rows, columns = (min(-(-side // multiple) * multiple, tile) for side in (height, width))
    return rows * columns
