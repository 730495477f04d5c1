"""The pipeline's Glue jobs: raw objects to cleaned tables, cleaned tables to the warehouse's columns.

Modules that take and return DataFrames (`read_jsonl`, `read_csv`, `cells`, `clean`, `deduplicate`, `checks`, `shape`)
do no I/O themselves. Only `store` calls S3's API. `clean_stage` and `transform_stage` combine the modules into jobs.
"""
