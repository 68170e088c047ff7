"""What contestants share: their task, the events, learners that are filled already, a service in a process."""
