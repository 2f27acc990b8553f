"""One module per tool, and the parts they stand on."""
