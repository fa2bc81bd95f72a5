"""The parts of the compiled module: text for cffi, used when the package is built and never at run
time.
"""
