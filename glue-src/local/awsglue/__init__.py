"""A stand-in for AWS Glue's own `awsglue`, for the rehearsal only: what pipectl's jobs use of it, on plain Spark."""
