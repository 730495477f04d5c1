//! Seeded sample shop data.
