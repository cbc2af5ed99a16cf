"""Settings that depend on the machine: the arithmetic, the compiler, and repeatable results."""

from pathlib import Path

import keras
import tensorflow as tf


def prepare_device(seed: int) -> str:
    """Seed everything, make TensorFlow's operations repeatable, choose the arithmetic; say what was chosen."""
    keras.utils.set_random_seed(seed)
    repeatable()
    policy = "mixed_bfloat16" if _multiplies_bfloat16() else "float32"
    keras.mixed_precision.set_global_policy(policy)
    gpus = len(tf.config.list_physical_devices("GPU"))
    return f"{policy} on {f'one of {gpus} GPU(s)' if gpus else 'the processor (TensorFlow sees no GPU)'}"


def repeatable() -> None:
    """Make every operation give the same bits in every run on the same machine."""
    tf.config.experimental.enable_op_determinism()


def compiled() -> bool:
    """Whether to compile with XLA: it wins on GPUs; on processors oneDNN's own kernels are faster."""
    return bool(tf.config.list_physical_devices("GPU"))


def _multiplies_bfloat16() -> bool:
    """Whether bfloat16 is multiplied in hardware; elsewhere it is emulated, and slower than float32."""
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return all(detail.get("compute_capability", (0, 0)) >= (8, 0) for detail in details)
    flags = Path("/proc/cpuinfo")  # Linux only; other systems use float32
    return flags.exists() and any(flag in flags.read_text() for flag in ("avx512_bf16", "amx_bf16"))
