"""The benchmark: tlskit, the stdlib's ssl and a C program do the same work. Run it with `python -m
bench`.
"""
