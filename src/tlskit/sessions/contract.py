"""The tests that every session store passes: `tlskit.stores.contract`, under its first name."""

from ..stores.contract import StoreContract, check

__all__ = ["StoreContract", "check"]
