"""Everything that learns. Knows no Kafka, no Redis, no Prometheus, no clock."""
