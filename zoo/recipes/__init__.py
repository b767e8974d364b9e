"""Recipes: a YAML file that runs one method on any object, checked, parsed and built."""
