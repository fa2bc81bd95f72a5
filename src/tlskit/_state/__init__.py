"""What a context is made of: its settings as plain values, and the states that are built of them.

table.py has a row for each setting; state.py what connections are made from; settings.py the way
from one state to the next.
"""

from .settings import Settings
from .state import State

__all__ = ["Settings", "State"]
