"""Settings that depend on the machine: the precision of the arithmetic, and repeatable results.

XLA compiles nothing here. On processors, oneDNN's own kernels are faster. On GPUs, XLA's gradient of max-pooling is not
repeatable: TensorFlow 2.21 refuses to compile it under op determinism.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from src.params import Precision

# In messages of TensorFlow, CUDA, cuDNN and cuBLAS, in lower case. Not all of them raise ResourceExhaustedError.
OUT_OF_MEMORY = ("out of memory", "out_of_memory", "failed to allocate", "alloc_failed", "allocation_failed")


@dataclass(frozen=True)
class Arithmetic:
    """How this process computes.

    Attributes:
        precision: of the convolutions; weights and sums are always float32.
        gpus: how many TensorFlow sees.
    """

    precision: Precision
    gpus: int

    @property
    def scales_loss(self) -> bool:
        """Whether training scales the loss: small gradients become 0 in float16."""
        return self.precision == "float16"

    def __str__(self) -> str:
        place = f"{self.gpus} GPU(s)" if self.gpus else "the processor (TensorFlow sees no GPU)"
        return f"{self.precision}, on {place}"


def prepare_device(seed: int, precision: Literal["auto"] | Precision) -> Arithmetic:
    """Seed all random generators, make operations repeatable and set the precision of this process.

    Args:
        seed: from 0.
        precision: of the convolutions; auto: the one that this hardware multiplies fastest.

    Returns:
        The arithmetic in force from now on.
    """
    keras.utils.set_random_seed(seed)
    chosen = fastest_precision() if precision == "auto" else precision
    set_arithmetic(chosen)
    keras.mixed_precision.set_global_policy(policy_name(chosen))
    return Arithmetic(chosen, len(tf.config.list_physical_devices("GPU")))


def policy_name(precision: Precision) -> str:
    """Keras's name of a policy that computes in this precision and keeps float32 weights."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


@contextmanager
def global_precision(precision: Precision) -> Iterator[None]:
    """Build the layers inside the block in this precision; Keras's global policy is the same again afterwards."""
    before = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy(policy_name(precision))
    try:
        yield
    finally:
        keras.mixed_precision.set_global_policy(before)


def set_arithmetic(precision: Precision) -> None:
    """Set the arithmetic of this process for training, evaluation, prediction and export.

    Every operation gives the same bits in every run on the same machine. For float32, TensorFloat-32 is switched off:
    with it, GPUs round the factors of products to 10 bits.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(precision != "float32")


def fastest_precision() -> Precision:
    """The precision that this hardware multiplies fastest. Where bfloat16 is emulated, float32 is faster."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
    flags = Path("/proc/cpuinfo")  # Linux only; other systems use float32
    fast = flags.exists() and any(flag in flags.read_text() for flag in ("avx512_bf16", "amx_bf16"))
    return "bfloat16" if fast else "float32"


def is_out_of_memory(error: tf.errors.OpError) -> bool:
    """Tell whether a device had too little memory. Libraries for GPUs may report that as any kind of error.

    Args:
        error: raised by an operation of TensorFlow.
    """
    text = str(error.message).lower()
    return isinstance(error, tf.errors.ResourceExhaustedError) or any(words in text for words in OUT_OF_MEMORY)
