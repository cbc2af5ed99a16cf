"""Distribute training over one device, the devices of this machine, or several machines with equal parts of a batch."""

import json
import os
from dataclasses import dataclass
from typing import Literal

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from src.errors import UserError
from src.model.network.replicas import sum_over_replicas
from src.model.network.tensor import Tensor

StrategyName = Literal["auto", "single", "mirrored", "multi_worker"]
CLUSTER = (
    'TF_CONFIG must name all machines, and which of them this one is: {"cluster": {"worker": ["host:port", …]}, '
    '"task": {"type": "worker", "index": 0}}'
)


@dataclass(frozen=True)
class Workers:
    """How the processes and their devices share each batch.

    Attributes:
        strategy: TensorFlow's strategy of distribution.
        process: number of this process, from 0; process 0 is the chief.
        processes: how many there are, one on each machine.
        devices: replicas in each process.
    """

    strategy: tf.distribute.Strategy
    process: int = 0
    processes: int = 1
    devices: int = 1

    @property
    def replicas(self) -> int:
        """Replicas in all processes together."""
        return self.processes * self.devices

    @property
    def chief(self) -> bool:
        """Whether this is the process that writes the results."""
        return self.process == 0

    def part(self, batch: int) -> slice:
        """The patches of a batch that this process holds.

        Raises:
            UserError: the batch cannot be divided evenly among the replicas.
        """
        if batch % self.replicas:
            fitting = max(batch // self.replicas, 1) * self.replicas
            raise UserError(
                f"train.batch ({batch}) must be a multiple of the {self.replicas} replicas, such as {fitting}"
            )
        share = batch // self.processes
        return slice(self.process * share, (self.process + 1) * share)

    def distribute(self, part: NDArray[np.generic]) -> Tensor:
        """Divide this process's part of a batch among its devices."""
        if self.replicas == 1:
            return tf.constant(part)
        shares = np.split(part, self.devices)
        return self.strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(shares[context.replica_id_in_sync_group - self.process * self.devices])
        )

    def from_chief(self, content: bytes) -> bytes:
        """Send the chief's content to every process; the others pass empty content."""
        if self.processes == 1:
            return content
        length = int(self._sum(np.array([len(content)]))[0])
        if not length:  # TensorFlow crashes on an empty sum
            return b""
        own = np.frombuffer(content.ljust(length, b"\0"), np.uint8)
        return self._sum(own.astype(np.int32)).astype(np.uint8).tobytes()

    def _sum(self, values: NDArray[np.integer]) -> NDArray[np.integer]:
        """Sum the values of all processes, which their first replicas contribute."""

        def total(value: Tensor) -> Tensor:
            return sum_over_replicas(tf.identity(value))  # puts it on the replica's device; a bare argument has none

        distributed = self.distribute(np.concatenate([values, *[np.zeros_like(values)] * (self.devices - 1)]))
        return np.asarray(self.first_replica(tf.function(self.strategy.run, autograph=False)(total, (distributed,))))

    def first_replica(self, value: Tensor) -> Tensor:
        """The result of the first replica of this process."""
        return self.strategy.experimental_local_results(value)[0]

    def __str__(self) -> str:
        if self.replicas == 1:
            return "one device"
        return f"{self.replicas} replicas ({self.devices} device(s) on each of {self.processes} machine(s))"


def choose_workers(name: StrategyName) -> Workers:
    """Set up the strategy that train.strategy names.

    Call it before any tensor is made: machines must find each other first.

    Raises:
        UserError: this machine cannot use the strategy, or TF_CONFIG is wrong.
    """
    machines = _machines()
    if name == "multi_worker" or (name == "auto" and len(machines) > 1):
        return _multi_worker(machines)
    devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    if name == "mirrored" or (name == "auto" and devices[0].device_type == "GPU" and len(devices) > 1):
        if len(devices) == 1:
            raise UserError("train.strategy: mirrored needs several devices, TensorFlow sees one: set it to single")
        return Workers(tf.distribute.MirroredStrategy([device.name for device in devices]), devices=len(devices))
    return Workers(tf.distribute.get_strategy())


def _machines() -> list[str]:
    """The addresses in TF_CONFIG, the variable with which TensorFlow connects machines."""
    try:
        config = json.loads(os.environ.get("TF_CONFIG") or "{}")
        machines = config.get("cluster", {}).get("worker", [])
        if machines and (set(config["cluster"]) != {"worker"} or not 0 <= config["task"]["index"] < len(machines)):
            raise ValueError("not a cluster of workers that holds this machine")
        return list(machines)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise UserError(CLUSTER) from None


def _multi_worker(machines: list[str]) -> Workers:
    if not machines:
        raise UserError(f"train.strategy: multi_worker: {CLUSTER}")
    strategy = tf.distribute.MultiWorkerMirroredStrategy()
    index = strategy.cluster_resolver.task_id
    return Workers(strategy, index, len(machines), strategy.num_replicas_in_sync // len(machines))
