//! A CloudFormation document.
