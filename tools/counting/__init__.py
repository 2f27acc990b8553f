"""Counting records by theme, column and time, and saying what stands out.

May import all below the tools but ingestion, runs and describing.

    dimensions  what records are counted by, and where each record falls
    axis        the values that an answer shows, and all others as one
    measures    what is counted: records, a mean, what a group does to it
    findings    what stands out of a table, in words
    movements   how the share of each theme moves, in words
    sources     what makes a series misleading
    tally       from a question to its answer
    answer      the answer: its fields, and its text
"""
