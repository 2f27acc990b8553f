"""Results as files that a person takes away: records, themes, a codebook, a report.

May be imported from below: core, tables, clustering, analysis, plotting, workspace, and beside it
describing, for what its proofs mean.

- source: the records of a dataset, or some of them, with the theme of each
- cells: texts that no spreadsheet takes for a formula
- record_columns: what stands of each record, by the column
- record_files: records as csv, parquet and jsonl
- workbooks: tables as xlsx
- theme_facts: what is known of each theme, with quotes
- theme_files: themes as csv and json, and as the rows of a sheet
- codebooks: themes as definitions: csv, Markdown, REFI-QDA
- crossing: themes by the values of a column
- time_bins: themes over time
- report: all that a report says
- report_pages: a report as HTML and as Markdown
- orders: one export: what, how, of which records, and how it is written
- targets: where a file goes
"""
