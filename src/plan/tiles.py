"""How large images are cut into tiles for prediction. The memory estimate, the plan and the prediction depend on it."""

TILE = 1024  # pixels: larger images are predicted in tiles of this side
# Times 2 ** depth pixels around a tile. With the plain encoder that is the receptive field of the network, so tiles
# change no result. The other encoders see further (up to about 500 pixels, or the whole tile); their tiles are blended.
HALO = 6
BLENDED = 2  # times 2 ** depth pixels on either side of the border between two tiles of the other encoders


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
