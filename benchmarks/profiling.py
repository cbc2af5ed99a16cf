"""The time of one training step of this project, by kind of operation."""

import tempfile
import time
from collections import Counter
from pathlib import Path

import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2

from benchmarks.contestants.ours import network_and_step, resident
from benchmarks.worker import Setting

WARM_UP, STEPS, SHOWN = 3, 5, 20


def profile(setting: Setting) -> str:
    """Return milliseconds of a step and their fraction for each kind of operation, the longest first.

    Operations run one after the other, each on all cores, so that their times add up.
    """
    tf.config.threading.set_inter_op_parallelism_threads(1)
    _, step = network_and_step(setting)
    batch = resident(setting)
    for _ in range(WARM_UP):
        step(*batch)
    with tempfile.TemporaryDirectory() as folder:
        options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=3)
        with tf.profiler.experimental.Profile(folder, options):
            started = time.perf_counter()
            for _ in range(STEPS):
                step(*batch)
            whole = (time.perf_counter() - started) * 1e3 / STEPS
        times = by_kind(next(Path(folder).rglob("*.xplane.pb")).read_bytes())
    lines = [f"{setting.filters} filters: {whole:.0f} ms a step, its operations one after the other", ""]
    lines += ["      ms  share  operation"]
    shown = times.most_common(SHOWN)
    others = times.total() - sum(value for _, value in shown)
    for kind, value in [*shown, ("all others", others), ("all operations", times.total())]:
        lines.append(f"{value / STEPS:8.1f}  {value / STEPS / whole:5.1%}  {kind}")
    return "\n".join(lines) + "\n"


def by_kind(content: bytes) -> Counter[str]:
    """Return kind of operation → milliseconds from the profiler's file, where only operations have a display name."""
    space = xplane_pb2.XSpace()
    space.ParseFromString(content)
    times: Counter[str] = Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            kind = plane.event_metadata[event.metadata_id].display_name
            if kind:
                times[kind] += event.duration_ps / 1e9
    return times
