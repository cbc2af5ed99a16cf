"""The type of a tensor."""

from typing import Any, TypeAlias

Tensor: TypeAlias = Any  # Any: TensorFlow and Keras are untyped, and reading their sources takes mypy minutes
