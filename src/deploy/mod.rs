//! Carries out a plan; the only code that changes AWS.
