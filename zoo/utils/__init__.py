"""What every room above uses: errors, files, names, schemas, seeds, time, progress, processes."""
