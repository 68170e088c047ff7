"""Measure what the service is held against: other software, and the least that its work takes."""
