copy #stage (a, b) from 's3://b/k' iam_role default format as parquet serializetojson fillrecord
