"""The verdict on one certificate, as a verification callback sees it."""

from __future__ import annotations

from .._core.certificate import Certificate
from .._core.fault import verify_text
from .._core.verifying import ACCEPTED, AS_IT_IS, REFUSED, error_name
from .._lazy import LateName

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dataclasses import dataclass
    from typing import Any

    from .._state import State
else:
    from .._frozen import dataclass

    Any = LateName("typing", "Any")


@dataclass(frozen=True)
class CertificateCheck:
    """OpenSSL's verdict on one certificate of a chain: true if nothing is wrong with it.

    Attributes:
        certificate: the certificate in DER; empty if the error is about a missing one.
        depth: its position in the chain: 0 is the peer's own.
        code: OpenSSL's `X509_V_` number; 0 if nothing is wrong.
    """

    certificate: bytes
    depth: int
    code: int

    def __bool__(self) -> bool:
        return self.code == 0

    @property
    def name(self) -> str:
        """OpenSSL's name of the error, such as "CERT_HAS_EXPIRED"; "OK" if there is none."""
        return error_name(self.code)

    @property
    def message(self) -> str:
        """OpenSSL's description of the error."""
        return verify_text(self.code)

    @property
    def fields(self) -> dict[str, Any]:
        """The fields of the certificate, as `getpeercert()` returns them; empty without one."""
        return Certificate.from_der(self.certificate).fields() if self.certificate else {}


def judge(state: State, connection: Any, check: CertificateCheck) -> int:
    """Call one state's callback, and return REFUSED, AS_IT_IS or ACCEPTED."""
    callback = state.verify_each
    answer = None if callback is None else callback(connection, check)
    if answer is None:
        return AS_IT_IS
    if not isinstance(answer, bool):
        raise TypeError(f"verify_each must return True, False or None, got {type(answer).__name__}")
    if not answer:
        return REFUSED
    if check.code and check.code not in state.settings["verify_accepts"]:
        raise ValueError(f"verify_each accepted {check.name}, which is not in verify_accepts")
    return ACCEPTED
