"""Draw a run of the service as one HTML page: errors, drift, transfer gain.

The service and the demo call it. It touches one folder.
"""
