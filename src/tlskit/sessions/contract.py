"""The tests that every session store must pass: another name of `tlskit.stores.contract`."""

from ..stores.contract import StoreContract, check

__all__ = ["StoreContract", "check"]
