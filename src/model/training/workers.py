"""Who trains: one device, the devices of this machine, or several machines, each with an equal part of every batch."""

import json
import os
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.errors import UserError
from src.model.network.replicas import sum_over_replicas

Choice = Literal["auto", "single", "mirrored", "multi_worker"]
CLUSTER = (
    'TF_CONFIG must name all machines, and which of them this one is: {"cluster": {"worker": ["host:port", …]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Workers:
    """How a batch is shared out: this process is number `process` of `processes` and has `devices` replicas."""

    strategy: Any  # tf.distribute.Strategy
    process: int = 0
    processes: int = 1
    devices: int = 1

    @property
    def replicas(self) -> int:
        return self.processes * self.devices

    @property
    def chief(self) -> bool:
        """Whether this process writes the results: one of them does."""
        return self.process == 0

    def part(self, batch: int) -> slice:
        """Which crops of a batch this process holds; `UserError` if the batch cannot be shared out evenly."""
        if batch % self.replicas:
            fitting = max(batch // self.replicas, 1) * self.replicas
            raise UserError(
                f"train.batch ({batch}) must be a multiple of the {self.replicas} replicas, such as {fitting}"
            )
        share = batch // self.processes
        return slice(self.process * share, (self.process + 1) * share)

    def placed(self, part: NDArray[Any]) -> Any:
        """This process's part of a batch, divided among its devices."""
        if self.replicas == 1:
            return tf.constant(part)
        shares = np.split(part, self.devices)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(shares[context.replica_id_in_sync_group - self.process * self.devices])
        )

    def from_chief(self, content: bytes) -> bytes:
        """What the chief gives, in every process; the others give nothing."""
        if self.processes == 1:
            return content
        length = int(self._total(np.array([len(content)]))[0])
        if not length:  # TensorFlow crashes on a sum of nothing
            return b""
        own = np.frombuffer(content.ljust(length, b"\0"), np.uint8)
        return self._total(own.astype(np.int32)).astype(np.uint8).tobytes()

    def _total(self, values: NDArray[Any]) -> NDArray[Any]:
        """The sum of what the first replicas of all processes give."""

        def total(value: Any) -> Any:
            return sum_over_replicas(tf.identity(value))  # on the replica's device, which a bare argument has none of

        placed = self.placed(np.concatenate([values, *[np.zeros_like(values)] * (self.devices - 1)]))
        return np.asarray(self.first(tf.function(self.strategy.run, autograph=False)(total, (placed,))))

    def first(self, value: Any) -> Any:
        """What the first replica of this process returned."""
        return self.strategy.experimental_local_results(value)[0]

    def __str__(self) -> str:
        if self.replicas == 1:
            return "one device"
        return f"{self.replicas} replicas ({self.devices} device(s) on each of {self.processes} machine(s))"


def choose_workers(choice: Choice) -> Workers:
    """The strategy of tf.distribute that train.strategy names; `UserError` if this machine cannot follow it.

    Must come before any tensor is made: several machines find each other first.
    """
    machines = _machines()
    if choice == "multi_worker" or (choice == "auto" and len(machines) > 1):
        return _multi_worker(machines)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if choice == "mirrored" or (choice == "auto" and devices[0].device_type == "GPU" and len(devices) > 1):
        if len(devices) == 1:
            raise UserError("train.strategy: mirrored needs several devices, TensorFlow sees one: set it to single")
        return Workers(tf.distribute.MirroredStrategy([device.name for device in devices]), devices=len(devices))
    return Workers(tf.distribute.get_strategy())


def _machines() -> list[str]:
    """The addresses in TF_CONFIG, the variable by which TensorFlow knows the machines that train together."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        machines = config.get("cluster", {}).get("worker", [])
        if machines:
            assert set(config["cluster"]) == {"worker"} and 0 <= config["task"]["index"] < len(machines)
        return list(machines)
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError):
        raise UserError(CLUSTER) from None


def _multi_worker(machines: list[str]) -> Workers:
    if not machines:
        raise UserError(f"train.strategy: multi_worker: {CLUSTER}")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    index = strategy.cluster_resolver.task_id
    return Workers(strategy, index, len(machines), strategy.num_replicas_in_sync // len(machines))
