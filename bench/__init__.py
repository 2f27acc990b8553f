"""The benchmark: corpuscope beside the tools that do the same. Run it with `make bench`."""
