"""The settings of an SSLContext, one class for each subject; `_context.SSLContext` combines them.

Each checks its arguments and passes them to the context's `_settings` (_state/settings.py), which
put them in force, or raise and change nothing. Settings are also read from there.
"""

from .choosing import ChoosingSettings
from .commands import CommandSettings
from .credentials import CredentialSettings
from .demands import DemandSettings
from .expected import ExpectedSettings
from .policies import PolicySettings
from .protocol import ProtocolSettings
from .questions import QuestionSettings
from .renewal import RenewalSettings
from .staples import StapleSettings
from .tuning import TuningSettings
from .verdicts import VerdictSettings
from .verification import VerificationSettings
from .watching import WatchingSettings
from .whole import WholeSettings

__all__ = [
    "ChoosingSettings",
    "CommandSettings",
    "CredentialSettings",
    "DemandSettings",
    "ExpectedSettings",
    "PolicySettings",
    "ProtocolSettings",
    "QuestionSettings",
    "RenewalSettings",
    "StapleSettings",
    "TuningSettings",
    "VerdictSettings",
    "VerificationSettings",
    "WatchingSettings",
    "WholeSettings",
]
