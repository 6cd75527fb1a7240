"""Random changes in batches, on the device that trains, with a draw of its own for every image.

Every draw is made on the CPU from torch's global generator and sent once, so that a seed gives the
same changes on every device, and nothing here ever waits for a GPU.
"""

from roadworthy.training.augmentation.changes import RandomChanges
from roadworthy.training.augmentation.mixing import Mixer
from roadworthy.training.augmentation.normalise import Normalise

__all__ = ["Mixer", "Normalise", "RandomChanges"]
