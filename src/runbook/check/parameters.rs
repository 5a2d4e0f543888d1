//! Parameters: definitions that make sense, values that cannot do harm.

use super::Context;
use super::names::WORDS;
use super::policy::each_text;
use crate::error::{Code, Problem, Problems, Span};
use crate::runbook::parameter::{Parameter, ParameterType, matches};

pub(super) fn definitions_make_sense(context: &Context<'_>, problems: &mut Problems) {
    for (name, parameter) in &context.draft.runbook.parameters {
        // `${…}` gives these another meaning.
        if WORDS.contains(&name.as_str()) || name == "run" {
            problems.push(
                Problem::error(
                    Code::ParameterDefinition,
                    format!("`{name}` has a meaning of its own in `${{}}`"),
                )
                .at(parameter.span)
                .help("choose another name"),
            );
        }
        let before = problems.errors();
        definition(name, parameter, problems);
        // A default is only held against a definition that makes sense.
        if let (Some(default), true) = (&parameter.default, problems.errors() == before)
            && let Err(why) = parameter.fit(&default.value)
        {
            problems.push(
                Problem::error(Code::ParameterValue, format!("the default of `{name}` does not fit: {why}"))
                    .at(default.span),
            );
        }
    }
}

fn definition(name: &str, parameter: &Parameter, problems: &mut Problems) {
    let kind = parameter.kind;
    let mut wrong = |message: String, span: Span, help: &str| {
        problems.push(Problem::error(Code::ParameterDefinition, message).at(span).help(help));
    };
    let ordered = matches!(kind, ParameterType::Integer | ParameterType::Share | ParameterType::Period);
    let mut bounds = Vec::new();
    for (key, bound) in [("min", &parameter.min), ("max", &parameter.max)] {
        let Some(bound) = bound else { continue };
        if !ordered {
            wrong(
                format!("`{key}` means nothing for a {}", kind.as_str()),
                bound.span,
                "bounds are for integer, share and period",
            );
            continue;
        }
        match kind.measure(&bound.value) {
            Ok(number) => bounds.extend(number),
            Err(why) => wrong(why, bound.span, "write the bound as a value of the parameter's type"),
        }
    }
    if let ([least, greatest], Some(max)) = (bounds.as_slice(), &parameter.max)
        && least > greatest
    {
        wrong(format!("no value of `{name}` is possible"), max.span, "`max` has to be at least `min`");
    }
    if let Some(pattern) = &parameter.pattern {
        if kind != ParameterType::Text {
            wrong(
                format!("`pattern` means nothing for a {}", kind.as_str()),
                pattern.span,
                "patterns are for text",
            );
        } else if let Err(why) = matches(&pattern.value, "") {
            wrong(format!("the pattern cannot be read: {why}"), pattern.span, "write a regular expression");
        }
    }
    match (kind, parameter.choices.is_empty()) {
        (ParameterType::Choice, true) => {
            wrong(
                format!("`{name}` is a choice without choices"),
                parameter.span,
                "add `choices: [one, other]`",
            );
        }
        (ParameterType::Boolean, false) => wrong(
            "`choices` means nothing for a boolean".to_owned(),
            parameter.choices[0].span,
            "remove `choices`",
        ),
        _ => {
            for choice in &parameter.choices {
                if let Err(why) = kind.measure(&choice.value) {
                    wrong(why, choice.span, "write the choice as a value of the parameter's type");
                }
            }
        }
    }
    match (&parameter.required, &parameter.default) {
        (Some(required), Some(_)) if required.value => wrong(
            format!("`{name}` is required and has a default"),
            required.span,
            "keep one of `required` and `default`",
        ),
        (Some(required), None) if !required.value => {
            wrong(format!("`{name}` has no value when none is given"), required.span, "add a `default`");
        }
        _ => {}
    }
}

pub(super) fn outside_text_is_guarded(context: &Context<'_>, problems: &mut Problems) {
    let runbook = &context.draft.runbook;
    for step in runbook.steps() {
        if !context.kinds.facts(&step.kind.value).is_some_and(|fact| fact.external) {
            continue;
        }
        each_text(&step.body, &mut |text, node| {
            for name in names_in(text) {
                let Some(parameter) = runbook.parameters.get(name).filter(|p| !p.is_guarded()) else {
                    continue;
                };
                problems.push(
                    Problem::error(
                        Code::ParameterUnguarded,
                        format!("any text can reach `{}` through `{name}`", step.kind.value),
                    )
                    .at(node.span)
                    .related(parameter.span, "declared here")
                    .help(format!("give `{name}` a `pattern` or `choices`")),
                );
            }
        });
    }
}

/// The names in `${…}`; `$${` is literal.
pub(in crate::runbook) fn names_in(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("${") {
        let literal = rest[..at].ends_with('$');
        rest = &rest[at + 2..];
        let Some(end) = rest.find('}').filter(|_| !literal) else { continue };
        names.push(rest[..end].trim());
    }
    names
}
