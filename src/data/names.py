"""Names of images as people write them in lists and tables: with extension, with a path, from Windows."""

import unicodedata
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

# Of images, and of files that other projects name in their lists. What is left of the name must be an image's id.
EXTENSIONS = {
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".bmp",
    ".tif",
    ".tiff",
    ".gif",
    ".dcm",
    ".npy",
    ".txt",
    ".xml",
    ".json",
}


class Names:
    """The images of a data set by every name that is theirs alone.

    An image's id is its path below images/ without extension. It may also be written with its extension, with / or \\
    between folders, with the path above images/, and without its folders where no other image has this name.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = set(ids)
        self._by_name: dict[str, list[str]] = {}
        for image in sorted(self.ids):
            self._by_name.setdefault(image.rpartition("/")[2], []).append(image)

    def find(self, written: str) -> list[str]:
        """The ids that `written` may mean: one if it is clear, several if it is not, none if there is none."""
        found: list[str] = []
        for name in _forms(written):
            parts = name.split("/")
            if name in self.ids:
                return [name]
            below = parts[len(parts) - parts[::-1].index("images") :] if "images" in parts else parts
            inside = "/".join(below)
            if inside in self.ids:
                return [inside]
            alike = self._by_name.get(parts[-1], [])
            found += [image for image in alike if _agree(image.split("/"), below, single=len(alike) == 1)]
        return sorted(set(found))


def _forms(written: str) -> list[str]:
    """As written; with / for \\; and without the extension of an image, of which the first that fits is meant."""
    plain = unicodedata.normalize("NFC", written.strip().strip("\"'"))
    slashed = plain.replace("\\", "/")
    forms = [written, plain, slashed, slashed.removeprefix("./")]
    path = PurePosixPath(forms[-1])
    if path.suffix.lower() in EXTENSIONS:
        forms.append(str(path.with_suffix("")))
    return list(dict.fromkeys(forms))


def _agree(image: list[str], written: list[str], *, single: bool) -> bool:
    """Whether a path written in full or in part may be that of an image, both as their parts.

    The folders must agree as far as both have some. An image without folders may have been in any, if it is the single
    one of its name.
    """
    if len(image) == 1 and len(written) > 1:
        return single
    shorter = min(len(image), len(written))
    return image[-shorter:] == written[-shorter:]


def advice(ids: Collection[str]) -> str:
    """How images are named, with one of them as an example."""
    example = f", such as {min(ids)!r}" if ids else ""
    return f"name an image by its path below images/, without extension{example}"
