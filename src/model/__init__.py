"""The network: building, training, saving and applying it. The only part of the project that imports TensorFlow."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # hides pages of start-up notes; what goes wrong is raised anyway
