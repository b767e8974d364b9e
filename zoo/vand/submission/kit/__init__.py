"""A repository that VAND 4.0 asks for, made from finished runs; it runs by itself."""
