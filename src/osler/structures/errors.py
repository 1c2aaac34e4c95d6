"""The errors that Osler raises for people.

    OslerError
    ├── RecipeError      (ValueError)    a recipe has an unknown key, a wrong type or an impossible value
    ├── UnknownNameError (LookupError)   a name is not in a registry; the nearest is offered
    ├── DataError        (ValueError)    pictures or labels cannot be used as they are
    ├── CheckpointError  (ValueError)    a checkpoint is damaged, unsafe, or belongs to another model
    ├── MissingExtraError (ImportError)  an optional dependency is needed; the message names its extra
    ├── DiskFullError    (OSError)       a file could not be written; what was there before is whole
    └── TrainingError    (RuntimeError)  a training cannot go on
        └── NotFiniteError               the loss is NaN or infinite; the message says where it came from

Each message is a sentence for the person: what was wrong, where, what would be right. The command line prints it without a
traceback and exits with status 2; a traceback at the command line is a bug of ours.
"""


class OslerError(Exception):
    """Anything that Osler tells a person to put right."""


class RecipeError(OslerError, ValueError):
    """A recipe has an unknown key, a value of the wrong type or an impossible value."""


class UnknownNameError(OslerError, LookupError):
    """A name is not known; the message offers the nearest that is."""


class DataError(OslerError, ValueError):
    """Pictures or labels cannot be used as they are."""


class CheckpointError(OslerError, ValueError):
    """A checkpoint is damaged, unsafe to read, or belongs to another model."""


class MissingExtraError(OslerError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class DiskFullError(OslerError, OSError):
    """A file could not be written because the disk is full; what was there before is whole."""


class TrainingError(OslerError, RuntimeError):
    """A training cannot go on."""


class NotFiniteError(TrainingError):
    """The loss became NaN or infinite; the message says where it came from."""
