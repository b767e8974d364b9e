"""Memory banks in plain torch: patch embedding, coresets, nearest neighbours and streaming."""
