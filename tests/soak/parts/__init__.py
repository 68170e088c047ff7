"""Hold what the soaks share: a feed, the service between broker and store, and the laws at the end."""
