//! Rules over the rendered templates, one file a rule.
