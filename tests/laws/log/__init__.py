"""Hold the laws of the log: times, order, retention, errors of the broker."""
