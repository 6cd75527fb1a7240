"""The embedded data set: pictures of cars drawn on the spot, with faults put in on purpose."""

from roadworthy.data.generated.dataset import GeneratedDataError, Summary, generate

__all__ = ["GeneratedDataError", "Summary", "generate"]
