"""The programs: examples, guides, notebooks, claims of tests, and what fuzzing found."""
