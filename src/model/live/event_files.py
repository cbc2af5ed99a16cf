"""Event files for TensorBoard. TensorFlow writes them without further packages; only the viewer needs one."""

from collections.abc import Mapping
from pathlib import Path

import cv2
import tensorflow as tf
from tensorflow.core.framework.summary_pb2 import DataClass, SummaryMetadata

PATTERN = "events.out.tfevents.*"


class EventFiles:
    """Writes the measures of each epoch as scalars, and its validation picture as an image; the step is the epoch.

    `tf.summary.scalar` and `tf.summary.image` need the package tensorboard. `tf.summary.write` needs none; the metadata
    here are those that TensorBoard's plugins look for.
    """

    def __init__(self, folder: Path) -> None:
        """Create a file in a folder; event files that are there already are deleted."""
        delete_event_files(folder)
        self._writer = tf.summary.create_file_writer(str(folder))

    def add(self, row: Mapping[str, float], picture: Path) -> None:
        """Add an epoch.

        Args:
            row: a row of the history.
            picture: JPEG of the epoch; it is left out if it does not exist.
        """
        epoch = int(row["epoch"])
        with self._writer.as_default(step=epoch):
            for name, value in row.items():
                if name != "epoch":
                    tf.summary.write(name, tf.constant(value, tf.float32), metadata=_metadata("scalars", "SCALAR"))
            drawn = cv2.imread(str(picture)) if picture.exists() else None
            if drawn is not None:
                height, width = drawn.shape[:2]
                image = tf.constant([str(width).encode(), str(height).encode(), picture.read_bytes()])
                tf.summary.write("validation", image, metadata=_metadata("images", "BLOB_SEQUENCE"))
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()


def delete_event_files(folder: Path) -> None:
    """Delete the event files in a folder; other files stay."""
    for path in folder.glob(PATTERN):
        path.unlink(missing_ok=True)


def _metadata(plugin: str, kind: str) -> SummaryMetadata:
    data = SummaryMetadata.PluginData(plugin_name=plugin)
    return SummaryMetadata(plugin_data=data, data_class=DataClass.Value(f"DATA_CLASS_{kind}"))
