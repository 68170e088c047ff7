"""Run commands as a user does, with real servers."""
