"""Draw what happened as one HTML page.

Called by the service and the demo; touches one folder.
"""
