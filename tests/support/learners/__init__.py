"""Make learners, streams and states."""
