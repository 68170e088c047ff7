"""Hold what tests share: builders, clocks, real servers, plain twins of compiled code."""
