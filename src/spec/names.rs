//! The limits that AWS sets on names.
