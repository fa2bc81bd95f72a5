"""What the compiled module is made from: text for cffi, used when the package is built and never at
run time.
"""
