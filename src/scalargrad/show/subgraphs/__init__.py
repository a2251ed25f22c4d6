"""Folds: a large graph divided into nested parts, each of which can be shown as one box or opened.

`folds` makes the tree of folds, and names them; `calls` finds which call of which module computed
each node.
"""
