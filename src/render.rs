//! Spec and templates to CloudFormation.
