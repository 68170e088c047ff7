"""Hold what contestants share: their task, the events, filled learners, a service in a process."""
