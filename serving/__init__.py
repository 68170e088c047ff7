"""What leaves the service: Redis records and Prometheus metrics."""
