"""What the package says in words, in two files that a change of words rewrites."""
