"""Everything about the stdlib's ssl: its own classes, its constants, and the dormant base of a
context.
"""
