"""Test what reads or writes the log, on the embedded broker and on Apache Kafka."""
