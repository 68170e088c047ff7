"""One HTML page that shows how a service does, for those without Grafana."""
