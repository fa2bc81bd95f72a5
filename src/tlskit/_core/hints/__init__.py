"""Hints: what a failure means, on whose side it is, and what to try. Loaded when something fails.

`hint_for` looks at a Situation, which `Connection` describes in the call that failed, and returns a
few sentences, or "" where there is nothing to add to OpenSSL's own words. Nothing in a hint is
secret. What a peer says about itself (names in certificates) is quoted, cut to a length, and
stripped of anything that cannot be printed.
"""

from __future__ import annotations

from .situation import Situation
from .words import hint_for

__all__ = ["Situation", "hint_for"]
