"""Schemes: themes that new texts are put into, those of a run or of a codebook file.

In come a selection or a file, and texts; out comes for each text the theme that it fits, or none.
May be imported from below: core, readers, geometry, clustering, embedding, store, workspace.

- codebook: themes that a person wrote down, read from a file and checked
- nearness: how near texts are to themes, and from where on they fit
- scheme: the themes of a run or a codebook, with their thresholds and what is known of these
- asked_texts: texts, rows or another dataset as vectors like the dataset's own
- placed: what the tool `apply-themes` answers
"""
