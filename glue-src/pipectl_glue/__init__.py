"""The pipeline's Glue jobs: raw objects to cleaned tables, cleaned tables to the warehouse's columns.

The modules that take and give DataFrames (`jsonl`, `csv`, `cells`, `clean`, `latest`, `checks`, `shape`) read and write
nothing themselves. `store` is the only one that talks to S3's API, `clean_stage` and `transform_stage` put it together.
"""
