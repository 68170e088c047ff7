"""Make pipelines, run and kill services, read their metrics."""
