//! A PostgreSQL server on this machine: which binaries, as which user of the system, in which folder.

pub mod binaries;
pub mod data_home;
pub mod os_account;
pub mod server;
pub mod socket;
