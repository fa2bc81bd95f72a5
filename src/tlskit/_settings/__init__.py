"""The settings of an SSLContext, one class for each noun; `_context.SSLContext` is made of them.

Each checks what it is given and hands it to the context's `_settings` (_state/settings.py), which
put it in force or raise and change nothing. What was set is read from there too.
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
