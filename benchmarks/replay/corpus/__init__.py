"""The programs: examples, guides, notebooks, programs of tests, and programs found by fuzzing."""
