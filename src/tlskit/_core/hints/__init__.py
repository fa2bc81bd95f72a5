"""Explain failures: what happened, on which side, and what to try. Imported when something fails.

`hint_for` takes a Situation, which `Connection` describes in the call that failed, and returns a
few sentences, or "" if there is nothing to add to OpenSSL's text. Hints contain no secrets. What a
peer says about itself (names in certificates) is quoted, shortened, and stripped of unprintable
characters.
"""

from __future__ import annotations

from .situation import Situation
from .words import hint_for

__all__ = ["Situation", "hint_for"]
