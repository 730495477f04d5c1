//! A PostgreSQL server that answers as Redshift does.
