"""What two sets of records differ in: themes, words, metadata, or, where they share no record,
which of their themes mean the same.

May be imported from below: core, tables, analysis, workspace.

- sides: which records a client means by a and b
- differences: shares of both sides against each other
- themes: themes over and under
- words: telling words, and quotes of each side
- metadata: values, dates and numbers that differ
- matches: themes of two collections, matched by meaning
- result: what differs, as an answer
"""
