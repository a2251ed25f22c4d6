"""Tests of the programs of the lectures."""
