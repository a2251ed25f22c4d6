"""Special functions: of the gamma and beta family, and of the standard normal distribution."""
