"""Test parts together with real brokers and stores over sockets."""
