"""Every error Roadworthy raises on purpose; each message says what was wrong, where, and what to do.

RoadworthyError
├── ParamsError      params.yaml does not say what to do
├── DataError        images, manifests or caches are missing, unreadable or not what was recorded
├── VerdictError     the data were judged and failed
├── TrainingError    training cannot start or cannot go on
├── BundleError      a bundle is incomplete, damaged or of another format
├── TrackingError    the tracking server or the registry cannot be reached or refuses
│   └── OvertakenError   another version became champion meanwhile
└── StaleError       a stage was asked for before what it needs was made
"""


class RoadworthyError(Exception):
    """Base of all errors that a person can act on; the CLI prints the message and exits with 1."""


class ParamsError(RoadworthyError):
    """`params.yaml` has an unknown key, a wrong type or a value out of range."""


class DataError(RoadworthyError):
    """Images, manifests or caches are missing, unreadable or not what was recorded."""


class VerdictError(RoadworthyError):
    """Validation judged the data and found at least one error."""


class TrainingError(RoadworthyError):
    """Training cannot start or cannot go on."""


class BundleError(RoadworthyError):
    """A bundle is incomplete, damaged or of another format."""


class TrackingError(RoadworthyError):
    """The tracking server or the registry cannot be reached, or refused."""


class OvertakenError(TrackingError):
    """Another version became champion since the one that was judged against."""


class StaleError(RoadworthyError):
    """A stage was asked for before the files it needs were made."""
