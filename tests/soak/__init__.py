"""Run a real service for minutes among troubles: kills, brokers that go, hostile payloads. make soak runs it."""
