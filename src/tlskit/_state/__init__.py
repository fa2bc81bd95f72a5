"""What a context consists of: its settings as plain values, and the states built from them.

table.py has a row for each setting; state.py defines what connections are made from; settings.py
moves from one state to the next.
"""

from .settings import Settings
from .state import State

__all__ = ["Settings", "State"]
