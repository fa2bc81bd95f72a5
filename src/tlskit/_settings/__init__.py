"""The settings of an SSLContext, one class for each subject; `_context.SSLContext` combines them.

Each checks its arguments and passes them to the context's `_settings` (_state/settings.py), which
put them in force, or raise and change nothing. Settings are also read from there.
"""

from .certificate_callback import CertificateCallbackSettings
from .commands import CommandSettings
from .credentials import CredentialSettings
from .encrypted_hello import EncryptedHelloSettings
from .event_callbacks import EventCallbackSettings
from .handshake_callbacks import HandshakeCallbackSettings
from .policies import PolicySettings
from .protocol import ProtocolSettings
from .renewal import RenewalSettings
from .requirements import RequirementSettings
from .staples import StapleSettings
from .tuning import TuningSettings
from .verification import VerificationSettings
from .verify_callbacks import VerifyCallbackSettings
from .verify_parameters import VerifyParameterSettings
from .whole import WholeSettings

__all__ = [
    "CertificateCallbackSettings",
    "CommandSettings",
    "CredentialSettings",
    "EncryptedHelloSettings",
    "EventCallbackSettings",
    "HandshakeCallbackSettings",
    "PolicySettings",
    "ProtocolSettings",
    "RenewalSettings",
    "RequirementSettings",
    "StapleSettings",
    "TuningSettings",
    "VerificationSettings",
    "VerifyCallbackSettings",
    "VerifyParameterSettings",
    "WholeSettings",
]
