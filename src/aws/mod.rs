//! Concrete AWS clients that speak our words.
