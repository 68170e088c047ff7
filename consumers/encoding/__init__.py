"""Open the text encoder of the config, ask embedding servers over HTTP, and keep vectors of known texts on disk.

The service and the offline commands use it. It may open connections and write below the checkpoint directory.
"""
