"""The bundled methods, one folder each; empty, so that importing it costs nothing."""
