"""Test everything: units, laws, integration with real servers, soak, benchmarks."""
