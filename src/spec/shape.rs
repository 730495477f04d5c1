//! The shape of a spec, checked against its JSON schema.
