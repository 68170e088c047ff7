"""Tell in words why Kafka refused or did not answer: diagnosis, access rights, what a connection said last."""
