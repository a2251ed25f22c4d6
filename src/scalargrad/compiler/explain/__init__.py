"""Explain what a compiled function became, and where its time goes."""
