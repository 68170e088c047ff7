"""Commands that bring events of their own: simulated ones, files, a demo, a benchmark."""
