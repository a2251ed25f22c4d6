"""Tests of steps and their page."""
