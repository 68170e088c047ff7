"""What the soaks share: a feed, the service between broker and store, and what must hold at the end."""
