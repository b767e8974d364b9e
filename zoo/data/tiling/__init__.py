"""Tiles: any method that maps an image to a score map sees high resolution piece by piece."""
