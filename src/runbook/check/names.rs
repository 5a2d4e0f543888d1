//! Names in `${…}` exist, whatever the direction of the run.

use super::Context;
use crate::error::Problems;
use crate::language::Spanned;
use crate::language::interpolate::{Found, Lookup, interpolate, interpolate_text};
use crate::runbook::model::Confirm;

/// Words for a region; its facts are behind a dot.
pub const REGIONS: &[&str] = &["from", "to", "region"];

/// Words that every plan knows. All are texts.
pub const WORDS: &[&str] = &["from", "to", "region", "mode", "drill"];

/// Names that are filled in while running, in the text of messages.
pub const LATER: &[&str] = &["run.id", "run.write_gap", "run.elapsed"];

/// Every name that a runbook may use, with a stand-in for its value.
struct Names<'a> {
    context: &'a Context<'a>,
}

impl Names<'_> {
    fn candidates(&self) -> Vec<String> {
        let parameters = self.context.draft.runbook.parameters.keys().cloned();
        parameters.chain(WORDS.iter().chain(LATER).map(|word| (*word).to_owned())).collect()
    }

    /// A fact has to exist in every region, because any of them can be `from` or `to`.
    fn fact(&self, root: &str, fact: &str) -> Found {
        let Some(loaded) = self.context.inventory else { return Found::Text(String::new()) };
        let regions = &loaded.inventory.regions;
        let without: Vec<_> = regions
            .iter()
            .filter(|(_, r)| !r.facts.contains_key(fact))
            .map(|(name, _)| name.as_str())
            .collect();
        if without.is_empty() {
            return Found::Text(String::new());
        }
        if without.len() == regions.len() {
            let facts = regions.values().flat_map(|region| region.facts.keys());
            return Found::Unknown { candidates: facts.map(|fact| format!("{root}.{fact}")).collect() };
        }
        Found::Refused {
            reason: format!("no fact `{fact}` is in {}", without.join(", ")),
            help: format!("add `{fact}` to the `facts` of every region"),
        }
    }
}

impl Lookup for Names<'_> {
    fn get(&self, path: &str) -> Found {
        let (root, rest) = path.split_once('.').map_or((path, None), |(root, rest)| (root, Some(rest)));
        let runbook = &self.context.draft.runbook;
        match (root, rest) {
            ("from" | "to" | "region", Some(fact)) => self.fact(root, fact),
            (word, None) if WORDS.contains(&word) => Found::Text(String::new()),
            _ if LATER.contains(&path) => Found::Text(String::new()),
            (name, None) if runbook.parameters.contains_key(name) => Found::Text(String::new()),
            // Outputs of steps: which there are and where they may stand is known to the plan.
            (id, Some(_)) if runbook.step(id).is_some() => Found::Text(String::new()),
            _ => Found::Unknown { candidates: self.candidates() },
        }
    }
}

pub(super) fn names_are_known(context: &Context<'_>, problems: &mut Problems) {
    let names = Names { context };
    let runbook = &context.draft.runbook;
    let mut text = |template: &Spanned<String>| {
        interpolate_text(&template.value, template.span, &names, problems);
    };
    let confirm = |confirm: &Confirm, text: &mut dyn FnMut(&Spanned<String>)| {
        confirm.ask.iter().chain(&confirm.typed).for_each(text);
    };
    text(&runbook.title);
    for section in &runbook.sections {
        section.title.iter().for_each(&mut text);
        section.confirm.iter().for_each(|c| confirm(c, &mut text));
    }
    for step in runbook.steps() {
        step.title.iter().for_each(&mut text);
        step.policy.confirm.iter().for_each(|c| confirm(c, &mut text));
    }
    for step in runbook.steps() {
        interpolate(&step.body, &names, problems);
    }
}
