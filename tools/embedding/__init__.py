"""Embedders by spec string: `open_embedder` for a dataset that is there, `fit_embedder` for a
new one."""
