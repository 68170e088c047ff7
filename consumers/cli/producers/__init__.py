"""Commands for those who write events: the contract as a schema, and a look at events before they are sent.

`consumers.cli.main` calls it. It reads the config and the files it is given.
"""
