//! The values of a plan's parameters.

use super::build::Request;
use crate::error::{Code, Problem, Problems, suggest};
use std::collections::BTreeMap;

/// Parameters with their defaults, `mode` and `drill`.
pub(super) fn values(request: &Request<'_>, problems: &mut Problems) -> BTreeMap<String, String> {
    let declared = &request.runbook.parameters;
    let mut values = BTreeMap::new();
    for (name, value) in request.parameters {
        match declared.get(name) {
            None => {
                let problem =
                    Problem::error(Code::UnknownChoice, format!("the runbook has no parameter `{name}`"));
                problems.push(match suggest::closest(name, declared.keys().map(String::as_str)) {
                    Some(close) => problem.help(format!("did you mean `{close}`?")),
                    None => problem,
                });
            }
            Some(parameter) => {
                if let Err(why) = parameter.fit(value) {
                    let problem = Problem::error(Code::BadValue, format!("parameter `{name}`: {why}"));
                    problems.push(problem.related(parameter.span, "declared here"));
                }
                values.insert(name.clone(), value.clone());
            }
        }
    }
    for (name, parameter) in declared {
        if values.contains_key(name) {
            continue;
        }
        match &parameter.default {
            Some(default) => {
                values.insert(name.clone(), default.value.clone());
            }
            None => problems.push(
                Problem::error(Code::MissingKey, format!("parameter `{name}` needs a value"))
                    .at(parameter.span)
                    .help(format!("give it with --set {name}=…")),
            ),
        }
    }
    values.insert("mode".into(), request.mode.to_string());
    values.insert("drill".into(), request.drill.to_string());
    values
}
