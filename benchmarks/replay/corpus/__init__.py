"""The programs: examples, guides, notebooks, claims of tests, and programs found by fuzzing."""
