"""The records of a dataset by the column, and what is asked of them. Imports core alone.

where    filters: what a client writes, as conditions that are checked
table    the columns of all records, written and read as one file
mask     which rows of a table fit a condition
periods  dates by day, week, month, quarter or year
"""
