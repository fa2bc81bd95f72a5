"""Resumption: when a session is offered, accepted and kept, and why it was or was not resumed."""
