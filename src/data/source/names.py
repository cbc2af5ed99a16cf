"""Find images by the names that people write in lists and tables: with extension, with a path, from Windows."""

import unicodedata
from collections.abc import Collection, Iterable
from pathlib import PurePosixPath

# Extensions of images, and of files that other projects name in their lists. They may be left out or written.
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
    """The images of a data set, found by every name that identifies one.

    The id of an image is its path below images/ without extension. It may also be written with its extension, with
    / or \\ between folders, with the path above images/, and without its folders if no other image has this name.
    """

    def __init__(self, ids: Iterable[str]) -> None:
        self.ids = set(ids)
        self._by_ending: dict[str, list[str]] = {}  # the end of an id, from any of its folders on → the ids
        for image in sorted(self.ids):
            parts = image.split("/")
            for start in range(len(parts)):
                self._by_ending.setdefault("/".join(parts[start:]), []).append(image)

    def find(self, written: str) -> list[str]:
        """Ids that `written` may mean: one if it is clear, several if it is ambiguous, none if no image fits."""
        found: list[str] = []
        for name in _forms(written):
            parts = name.split("/")
            if name in self.ids:
                return [name]
            below = parts[len(parts) - parts[::-1].index("images") :] if "images" in parts else parts
            inside = "/".join(below)
            if inside in self.ids:
                return [inside]
            found += self._by_ending.get(inside, [])  # the id has more folders than what is written
            shorter = ["/".join(below[start:]) for start in range(1, len(below))]
            found += [end for end in shorter[:-1] if end in self.ids]  # what is written has more folders than the id
            if shorter and shorter[-1] in self.ids and len(self._by_ending[shorter[-1]]) == 1:
                found.append(shorter[-1])  # an image without folders may have been in any folder
        return sorted(set(found))


def _forms(written: str) -> list[str]:
    """Forms of a name, the first that fits is meant: as written, with / for \\, without the extension of an image."""
    plain = unicodedata.normalize("NFC", written.strip().strip("\"'"))
    slashed = plain.replace("\\", "/")
    forms = [written, plain, slashed, slashed.removeprefix("./")]
    path = PurePosixPath(forms[-1])
    if path.suffix.lower() in EXTENSIONS:
        forms.append(str(path.with_suffix("")))
    return list(dict.fromkeys(forms))


def naming_hint(ids: Collection[str]) -> str:
    """Tell the user how to name an image, with one as an example."""
    example = f", such as {min(ids)!r}" if ids else ""
    return f"name an image by its path below images/, without extension{example}"
