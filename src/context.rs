//! What every command needs.
