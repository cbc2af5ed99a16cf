"""The same U-Net three times, as `benchmarks.training` lets them run against each other: see `benchmarks.worker`."""
