"""Start brokers and registries, alone or three, with security."""
