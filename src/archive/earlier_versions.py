"""project.json of model files that earlier versions saved, in the keys of this version.

`resize` was the side of the squares that the network saw. `shorter_side` took its place: images keep their aspect
ratio. A network that learned from squares would see another scale now, so its file is refused.
"""

from src.archive.network import Json
from src.errors import UserError


class EarlierVersion(UserError):
    """The model file is one of this project, but of an earlier version that predicted in another way."""


def in_present_keys(content: Json) -> Json:
    """Translate the keys of earlier versions; anything else is left to the validation.

    Args:
        content: The content of project.json, from anywhere.

    Returns:
        The content with the keys of `Project`.

    Raises:
        EarlierVersion: The network saw images as squares.
    """
    side = content.get("resize")
    if "shorter_side" in content or type(side) is not int:
        return content
    if side:
        squares = f"this model saw images as squares of {side} × {side} pixels"
        raise EarlierVersion(f"{squares}; now images keep their aspect ratio (data.resize): train it anew")
    return {key: value for key, value in content.items() if key != "resize"} | {"shorter_side": 0}
