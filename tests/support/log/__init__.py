"""Make topics, records and consumers; a log in memory."""
