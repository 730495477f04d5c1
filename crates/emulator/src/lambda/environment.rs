//! The environment that Lambda gives to a custom runtime.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::Function;

/// The variables of a process: the function's own, and Lambda's, which win.
pub(super) fn variables(function: &Function, api: SocketAddr) -> BTreeMap<String, String> {
    let task = function.directory.display().to_string();
    let mut variables = function.environment.clone();
    for (name, value) in [
        ("AWS_DEFAULT_REGION", function.region.clone()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", function.memory.to_string()),
        ("AWS_LAMBDA_FUNCTION_NAME", function.name.clone()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".into()),
        ("AWS_LAMBDA_INITIALIZATION_TYPE", "on-demand".into()),
        ("AWS_LAMBDA_LOG_FORMAT", function.log_format.clone()),
        ("AWS_LAMBDA_LOG_GROUP_NAME", function.log_group.clone()),
        ("AWS_LAMBDA_LOG_STREAM_NAME", "rehearsal".into()),
        ("AWS_LAMBDA_RUNTIME_API", api.to_string()),
        ("AWS_REGION", function.region.clone()),
        ("LAMBDA_RUNTIME_DIR", "/var/runtime".into()),
        ("LAMBDA_TASK_ROOT", task),
        ("LANG", "en_US.UTF-8".into()),
        ("PATH", "/usr/local/bin:/usr/bin/:/bin:/opt/bin".into()),
        ("TZ", ":UTC".into()),
        ("_HANDLER", function.handler.clone()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    variables
}
