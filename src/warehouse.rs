//! The SQL that loads the warehouse.
