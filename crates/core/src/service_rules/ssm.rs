//! Systems Manager: parameters.

use super::{Findings, Rule, Subject};

pub(super) const RULES: &[Rule] = &[Rule {
    id: "ssm-parameter",
    types: &["AWS::SSM::Parameter"],
    property: "Name",
    accepts: "letters, digits and `_.-/`, up to 15 levels that begin with a slash, not `aws` or `ssm` at the start; `String` or `StringList`; up to 4,096 characters, or 8,192 in the advanced tier; a value that its pattern allows",
    source: "https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html",
    bad: "{Name: shop/rate, Type: String, Value: \"1\"}",
    good: "{Name: /shop/rate, Type: String, Value: \"1\"}",
    check: parameter,
}];

fn parameter(subject: &Subject<'_>, found: &mut Findings) {
    if let Some(name) = subject.text("Name") {
        let bare = name.trim_start_matches('/').to_ascii_lowercase();
        let reason = if name.is_empty() || name.len() > 1_011 {
            "write 1 to 1,011 characters"
        } else if !super::events::is_name(name, "_.-/") {
            "write letters, digits and `_.-/`"
        } else if name.contains('/') && !name.starts_with('/') {
            "begin it with a slash"
        } else if name.ends_with('/') || name.contains("//") {
            "write one name between two slashes"
        } else if name.matches('/').count() > 15 {
            "write at most 15 levels"
        } else if bare.starts_with("aws") || bare.starts_with("ssm") {
            "AWS keeps names that begin with `aws` and `ssm`"
        } else {
            ""
        };
        if !reason.is_empty() {
            found.refuse("Name", format!("has the name `{name}`"), reason, "Parameter name is not valid.");
        }
    }
    if subject.text("Type") == Some("SecureString") {
        found.refuse(
            "Type",
            "is a SecureString, which CloudFormation cannot create",
            "write a secret of Secrets Manager",
            "#/Type: SecureString is not a valid enum value",
        );
    }
    if let Some(value) = subject.text("Value") {
        let most = match subject.text("Tier") {
            Some("Advanced" | "Intelligent-Tiering") => 8_192,
            _ => 4_096,
        };
        if value.is_empty() || value.chars().count() > most {
            found.refuse(
                "Value",
                format!("has a value of {} characters", value.chars().count()),
                format!("write 1 to {most}"),
                "Standard tier parameters support a maximum parameter value of 4096 characters.",
            );
        }
        if let Some(pattern) = subject.text("AllowedPattern")
            && let Ok(regex) = regex::Regex::new(&format!("^(?:{pattern})$"))
            && !regex.is_match(value)
        {
            found.refuse(
                "Value",
                format!("has a value that its pattern `{pattern}` does not allow"),
                "correct the value or the pattern",
                format!("Parameter value, {value}, does not match with allowed pattern: {pattern}"),
            );
        }
    }
    if subject.has("Policies")
        && subject.text("Tier").is_none_or(|tier| tier == "Standard")
        && !subject.get("Tier").is_some_and(super::is_unknown)
    {
        found.add("Policies", "has policies in the standard tier", "write `Tier: Advanced`");
    }
}
