"""Measure what crosscurrent bench does not: parts of the service, each a script."""
