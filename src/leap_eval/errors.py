"""What a person may meet: one class per kind of trouble, each with its exit code.

Every message says the place, the rule and the remedy, and never quotes a value
out of partner data.
"""


class LeapError(Exception):
    """An expected trouble: shown as its message alone, without a traceback."""

    exit_code = 10


class SettingsError(LeapError):
    """A file that evaluators write (params.yaml, programme.yaml, ...) breaks a rule."""

    exit_code = 11


class AgreementError(LeapError):
    """A sharing agreement is missing, lapsed, not reviewed or contradicts itself."""

    exit_code = 12


class SubmissionError(LeapError):
    """A partner's submission was refused whole."""

    exit_code = 13


class KeyMissingError(LeapError):
    """A key is missing, of the wrong kind, or a demo key outside the demo."""

    exit_code = 14


class MissingInputError(LeapError):
    """A stage was asked to run before its input exists."""

    exit_code = 15


class ContractError(LeapError):
    """A table breaks the contract of its hand-over."""

    exit_code = 16


class StageError(LeapError):
    """A notebook failed, or may not run as it stands."""

    exit_code = 17


class LinkError(LeapError):
    """The linkage cannot be trained or decided on these tokens."""

    exit_code = 18


class PlanError(LeapError):
    """The analysis plan asks for something that may not or cannot be estimated."""

    exit_code = 19


class DisclosureError(LeapError):
    """Something may not leave, or a release does not hold what it says."""

    exit_code = 20


class PageError(LeapError):
    """A findings page holds, or would hold, what the release did not vet."""

    exit_code = 21


class StateError(LeapError):
    """The programme's state (demo, live, closed, legacy) or a person's role forbids this."""

    exit_code = 22


class StorageError(LeapError):
    """A folder, remote or disk is not fit to hold rows."""

    exit_code = 23


class LeakError(LeapError):
    """Something with the shape of an identifier was found where none may be."""

    exit_code = 24
