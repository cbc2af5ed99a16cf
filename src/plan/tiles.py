"""How large images are cut for prediction; its memory and the plan depend on it, and the prediction itself."""

TILE = 1024  # pixels: larger images are predicted in tiles of this side
HALO = 6  # times 2 ** depth pixels around a tile: all that the network sees of it, so that tiling changes nothing


def tile_pixels(height: int, width: int, depth: int) -> int:
    """Pixels of the largest part of an image that the network is shown at once, halo and padding included."""
    multiple = 2**depth
    tile = TILE // multiple * multiple + 2 * HALO * multiple
    rows, columns = (min(-(-side // multiple) * multiple, tile) for side in (height, width))
    return rows * columns
