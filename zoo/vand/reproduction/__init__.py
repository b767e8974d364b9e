"""Published rows made again: the recipe that mimics them, the archive, and what the server said."""
