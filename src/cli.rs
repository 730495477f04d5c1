//! The command line: flags and verbs, no logic.
