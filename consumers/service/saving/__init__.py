"""Save the state while the stream goes on: when, how much of it, by which process."""
