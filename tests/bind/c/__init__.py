"""A program in C that exercises the helpers without Python: see tk_test.c, and program.py for how
it is made.
"""
