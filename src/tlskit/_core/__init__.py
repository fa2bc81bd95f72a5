"""The owner classes: the only place for handles of C objects. Each C type has one owner class
here.
"""
