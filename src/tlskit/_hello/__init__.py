"""The ClientHello as an object, and its fingerprints."""

from .message import ClientHello, Extension, KeyShare, PskIdentity

__all__ = ["ClientHello", "Extension", "KeyShare", "PskIdentity"]
