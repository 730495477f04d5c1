//! The order of stacks.
