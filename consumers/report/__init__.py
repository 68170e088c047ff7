"""Draw what happened as one HTML page.

The service and the demo call it. It touches one folder.
"""
