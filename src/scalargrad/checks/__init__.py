"""Checks of the arguments of public functions, and conversions to float, int and bool.

`numbers` recognizes and converts real numbers, `arguments` checks options, counts and lists.
"""
