"""Memory banks: patch embedding, coresets, nearest neighbours and streaming, in plain torch.

Import from the modules: `embedding`, `coreset`, `neighbours`, `search`, `stream`.
"""
