//! Rules over a whole project, one file a rule. They read; they never stop at the first error.

pub mod marts;
