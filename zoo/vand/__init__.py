"""The VAND challenge: archives for its server, and published rows made again."""
