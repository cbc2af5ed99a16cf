"""Settings that depend on the machine: the arithmetic, and repeatable results.

XLA compiles nothing here: on processors oneDNN's own kernels are faster, and on GPUs it has no repeatable gradient of
max-pooling (TensorFlow 2.21 refuses to compile it under op determinism).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import tensorflow as tf

from src.params import Precision


@dataclass(frozen=True)
class Arithmetic:
    """precision: of the convolutions (weights and sums stay float32); gpus: how many TensorFlow sees."""

    precision: Precision
    gpus: int

    @property
    def scaled(self) -> bool:
        """Whether the loss must be scaled, since gradients would vanish."""
        return self.precision == "float16"

    def __str__(self) -> str:
        place = f"{self.gpus} GPU(s)" if self.gpus else "the processor (TensorFlow sees no GPU)"
        return f"{self.precision}, on {place}"


def prepare_device(seed: int, precision: Literal["auto"] | Precision) -> Arithmetic:
    """Seed everything, make TensorFlow's operations repeatable, choose the arithmetic."""
    keras.utils.set_random_seed(seed)
    chosen = fastest_precision() if precision == "auto" else precision
    set_arithmetic(chosen)
    keras.mixed_precision.set_global_policy(policy_of(chosen))
    return Arithmetic(chosen, len(tf.config.list_physical_devices("GPU")))


def policy_of(precision: Precision) -> str:
    """What Keras calls it: weights stay float32."""
    return "float32" if precision == "float32" else f"mixed_{precision}"


def set_arithmetic(precision: Precision) -> None:
    """Set the arithmetic of this process, for training, evaluation, prediction and export alike.

    Every operation gives the same bits in every run on the same machine. In float32, products are of float32: GPUs
    would round their factors to 10 bits (TensorFloat-32) unless told otherwise.
    """
    tf.config.experimental.enable_op_determinism()
    tf.config.experimental.enable_tensor_float_32_execution(precision != "float32")


def fastest_precision() -> Precision:
    """What the hardware multiplies fastest: elsewhere bfloat16 is emulated, and slower than float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        capability = min(detail.get("compute_capability", (0, 0)) for detail in details)
        return "bfloat16" if capability >= (8, 0) else "float16" if capability >= (7, 0) else "float32"
    flags = Path("/proc/cpuinfo")  # Linux only; other systems use float32
    fast = flags.exists() and any(flag in flags.read_text() for flag in ("avx512_bf16", "amx_bf16"))
    return "bfloat16" if fast else "float32"
