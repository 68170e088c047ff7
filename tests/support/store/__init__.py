"""Start stores, write to them, and follow what is published."""
