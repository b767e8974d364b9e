"""Published rows made again: the recipe that mimics them, the archive, the answer of the server."""
