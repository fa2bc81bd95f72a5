"""The settings of an SSLContext, one class for each noun; `_context.SSLContext` is made of them.

Each knows the context's `_core`, which checks a value and puts it in force or raises and changes
nothing, and beside it only what it has to remember itself.
"""

from .credentials import CredentialSettings
from .protocol import ProtocolSettings
from .questions import QuestionSettings
from .verification import VerificationSettings

__all__ = ["CredentialSettings", "ProtocolSettings", "QuestionSettings", "VerificationSettings"]
