"""Fuzzing: what reads a peer's bytes, or bytes that others keep. `python -m tests.fuzz`."""
