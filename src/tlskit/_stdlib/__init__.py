"""What is here for the stdlib's sake: its own classes, its constants, and the base that lies
dormant under a context.
"""
