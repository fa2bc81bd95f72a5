"""The owners: the only place where handles of C objects live. Each C type has one owner class
here.
"""
