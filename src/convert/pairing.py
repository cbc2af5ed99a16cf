"""Finds the image of a labelme JSON: the one that imagePath names, or the one with the name of the JSON."""

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from src.convert.names import safe_name
from src.convert.problems import Refused
from src.errors import quoted

BY_PATH, BY_NAME = "imagePath", "name"


class Pairing:
    """Finds the image of a JSON, and refuses a JSON that points at two images.

    Args:
        root: The folder of images.
        files: The paths of all images below it.
        rule: `BY_PATH` or `BY_NAME` if the user decides; None: imagePath, unless another image has the JSON's name.
    """

    def __init__(self, root: Path, files: Sequence[PurePosixPath], rule: str | None) -> None:
        self.root, self.rule, self.files = root, rule, set(files)
        self.by_stem: dict[PurePosixPath, list[PurePosixPath]] = defaultdict(list)
        for file in files:
            self.by_stem[file.with_suffix("")].append(file)

    def image_of(self, document: PurePosixPath, image_path: str) -> PurePosixPath:
        """Find the image of a JSON.

        Args:
            document: The path of the JSON below its own folder.
            image_path: Its imagePath. Only the last part is used, since the rest often is a path of another computer.
                The image must be next to the JSON, or else directly in the root.

        Returns:
            The path of the image below the root.

        Raises:
            Refused: No image matches, or two images do.
        """
        same_name = self._of_same_name(document)
        if self.rule == BY_NAME:
            if len(same_name) != 1:
                names = ", ".join(quoted(str(name)) for name in same_name) or "none"
                raise Refused(f"one image must have the name of the JSON; there: {names}", "rename or remove images")
            return same_name[0]
        named = self._named(document, safe_name(PureWindowsPath(image_path).name))
        if not self._exists(named) and same_name:
            raise Refused(
                f"imagePath names {quoted(str(named))}, which is missing, but {quoted(str(same_name[0]))} has the name "
                "of the JSON",
                "correct imagePath, or use --pair name if every JSON has the name of its image",
            )
        if self.rule is None:
            self._refuse_contradiction(document, image_path, named, same_name)
        return named

    def _named(self, document: PurePosixPath, image: PurePosixPath) -> PurePosixPath:
        next_to_it = document.parent / image
        return image if not self._exists(next_to_it) and self._exists(image) else next_to_it

    def _exists(self, image: PurePosixPath) -> bool:
        return image in self.files

    def _of_same_name(self, document: PurePosixPath) -> list[PurePosixPath]:
        """The images with the name of the JSON: next to it, or else directly in the root."""
        stem = document.with_suffix("")
        return self.by_stem.get(stem) or self.by_stem.get(PurePosixPath(stem.name)) or []

    def _refuse_contradiction(
        self, document: PurePosixPath, image_path: str, named: PurePosixPath, same_name: Sequence[PurePosixPath]
    ) -> None:
        """Raise `Refused` if another image has the JSON's name, or is the one that the whole imagePath leads to."""
        others = [name for name in same_name if named not in same_name]
        whole = _joined(document.parent, image_path)
        if whole != named and whole in self.files:
            raise Refused(
                f"imagePath {quoted(image_path)} leads to {quoted(str(whole))}, but {quoted(str(named))} lies closer "
                "to the JSON: which of them was annotated is not certain",
                "correct imagePath; or use --pair imagePath for the closer one, --pair name for the JSON's name",
            )
        if others:
            raise Refused(
                f"imagePath names {quoted(str(named))}, but another image, {quoted(str(others[0]))}, has the name of "
                "the JSON: which of them was annotated is not certain",
                "correct imagePath or rename the JSON; or use --pair imagePath or --pair name, for all of them",
            )


def _joined(folder: PurePosixPath, image_path: str) -> PurePosixPath | None:
    """Follow a relative path from a folder; None if it is absolute, or leads out of the root."""
    path = PureWindowsPath(image_path)
    if path.anchor:
        return None
    parts = list(folder.parts)
    for part in path.parts:
        if part == ".." and not parts:
            return None
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return PurePosixPath(*parts)
