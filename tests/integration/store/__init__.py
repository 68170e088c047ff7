"""Test what writes or reads the store, on Redis, Valkey and Redis Cluster."""
