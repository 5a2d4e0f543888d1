//! The top of a runbook and its sections.

use super::policy::{self, ConfirmText};
use super::step::{self, Inside};
use super::{Draft, KindNames};
use crate::error::{Code, Problem, Problems};
use crate::language::tree::Node;
use crate::language::units::Period;
use crate::language::{Spanned, from_node};
use crate::runbook::fields::{Fields, NameForm, check_name, missing, text};
use crate::runbook::model::{During, Item, Objectives, OnBreach, Role, Runbook, Section, Watch};
use crate::runbook::parameter::Parameter;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Deserialize;

/// Keys at the top.
pub const TOP_KEYS: &[&str] =
    &["mrctl", "name", "title", "objectives", "roles", "parameters", "watch", "sections", "steps"];

/// Keys of a section.
pub const SECTION_KEYS: &[&str] = &["title", "confirm", "steps"];

/// What a run is measured against.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectivesText {
    /// Recovery time: from the start of the run to the moment marked `service_restored`.
    #[serde(default)]
    rto: Option<Period>,
    /// Loss of data, in time.
    #[serde(default)]
    rpo: Option<Period>,
    /// Longest time without writes: from the freeze's intent to the promotion's proof. 60s if not given.
    #[serde(default)]
    write_gap: Option<Period>,
}

/// A condition that must hold while steps run.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WatchText {
    /// Identity.
    id: Spanned<String>,
    /// The condition that must hold.
    ok: Spanned<String>,
    /// How long it may be untrue.
    #[serde(default, rename = "for")]
    patience: Option<Period>,
    /// One step, or `first..last`; both ends are included.
    during: Spanned<String>,
    /// What a breach does.
    #[serde(default)]
    on_breach: OnBreach,
    /// What missing data does.
    #[serde(default)]
    on_no_data: OnBreach,
}

/// Default of `objectives.write_gap`, in seconds.
const WRITE_GAP: u64 = 60;

/// Reads the whole tree.
pub(super) fn runbook(root: &Node, kinds: &dyn KindNames, problems: &mut Problems) -> Option<Draft> {
    if !super::version(root, "the runbook", problems) {
        return None;
    }
    let fields = Fields::open(root, "the runbook", problems)?;
    fields.only(TOP_KEYS, "a runbook", problems);
    let name: Option<Spanned<String>> = fields.need("name", "the runbook", problems);
    if let Some(name) = &name {
        check_name(&name.value, NameForm::Hyphens, "the name of a runbook", name.span, problems);
    }
    let title = fields.read("title", problems);
    let objectives: Option<ObjectivesText> = fields.read("objectives", problems);
    let roles = fields.node("roles").map(|node| roles(node, problems)).unwrap_or_default();
    let parameters = fields.node("parameters").map(|node| parameters(node, problems)).unwrap_or_default();
    let watch = fields.node("watch").map(|node| watches(node, problems)).unwrap_or_default();
    let before = problems.errors();
    let (sections, mut whole) = match (fields.node("sections"), fields.node("steps")) {
        (Some(_), Some(steps)) => {
            problems.push(
                Problem::error(Code::StepsOrSections, "a runbook has either `sections` or `steps`, not both")
                    .at(steps.head()),
            );
            return None;
        }
        (None, None) => {
            problems.push(
                Problem::error(Code::StepsOrSections, "the runbook has no steps")
                    .at(fields.head())
                    .help("add `steps:` or `sections:`"),
            );
            return None;
        }
        (Some(list), None) => sections(list, kinds, problems),
        (None, Some(list)) => {
            let (items, whole) = items(list, kinds, problems);
            (vec![Section { title: None, confirm: None, items, span: list.head() }], whole)
        }
    };
    whole &= problems.errors() == before || sections.iter().any(|section| !section.items.is_empty());
    let name = name?;
    Some(Draft {
        runbook: Runbook {
            title: title.unwrap_or_else(|| name.clone()),
            name,
            objectives: Objectives {
                rto: objectives.as_ref().and_then(|o| o.rto),
                rpo: objectives.as_ref().and_then(|o| o.rpo),
                write_gap: objectives
                    .and_then(|o| o.write_gap)
                    .unwrap_or_else(|| Period::from_secs(WRITE_GAP)),
            },
            roles,
            parameters,
            watch,
            sections,
        },
        whole,
    })
}

fn roles(node: &Node, problems: &mut Problems) -> IndexMap<String, Role> {
    let mut roles = IndexMap::new();
    let Some(fields) = Fields::open(node, "`roles`", problems) else { return roles };
    for (key, value) in fields.entries() {
        check_name(&key.name, NameForm::Word, "the name of a role", key.span, problems);
        let duty = text(value, problems).map(|text| text.value).unwrap_or_default();
        roles.insert(key.name.clone(), Role { duty, span: key.span });
    }
    roles
}

fn parameters(node: &Node, problems: &mut Problems) -> IndexMap<String, Parameter> {
    let mut parameters = IndexMap::new();
    let Some(fields) = Fields::open(node, "`parameters`", problems) else { return parameters };
    for (key, value) in fields.entries() {
        check_name(&key.name, NameForm::Word, "the name of a parameter", key.span, problems);
        if let Some(mut parameter) = from_node::<Parameter>(value, problems) {
            parameter.span = key.span;
            parameters.insert(key.name.clone(), parameter);
        }
    }
    parameters
}

fn watches(node: &Node, problems: &mut Problems) -> Vec<Watch> {
    let Some(list) = list(node, "`watch`", problems) else { return Vec::new() };
    list.iter().filter_map(|node| watch(from_node(node, problems)?, problems)).collect()
}

fn watch(text: WatchText, problems: &mut Problems) -> Option<Watch> {
    check_name(&text.id.value, NameForm::Word, "the id of a watch", text.id.span, problems);
    Some(Watch {
        ok: policy::condition(text.ok, problems)?,
        patience: text.patience.unwrap_or_else(|| Period::from_secs(0)),
        during: during(&text.during),
        id: text.id,
        on_breach: text.on_breach,
        on_no_data: text.on_no_data,
    })
}

/// `first..last`, or one id. Parts get their own place where the text stands as it is (not behind a quote).
fn during(text: &Spanned<String>) -> During {
    let verbatim = text.span.range().len() == text.value.len();
    let part = |part: &str, offset: usize| Spanned {
        value: part.trim().to_owned(),
        span: if verbatim { text.span.part(offset, part.len()) } else { text.span },
    };
    match text.value.split_once("..") {
        Some((first, last)) => During { first: part(first, 0), last: part(last, first.len() + 2) },
        None => During { first: text.clone(), last: text.clone() },
    }
}

fn sections(node: &Node, kinds: &dyn KindNames, problems: &mut Problems) -> (Vec<Section>, bool) {
    let mut whole = true;
    let mut sections = Vec::new();
    let Some(list) = list(node, "`sections`", problems) else { return (sections, false) };
    for node in list {
        let Some(fields) = Fields::open(node, "a section", problems) else {
            whole = false;
            continue;
        };
        fields.only(SECTION_KEYS, "a section", problems);
        let title = fields.need("title", "the section", problems);
        let confirm: Option<Spanned<ConfirmText>> = fields.read("confirm", problems);
        let items = match fields.node("steps") {
            Some(list) => {
                let (items, all) = items(list, kinds, problems);
                whole &= all;
                items
            }
            None => {
                problems.push(missing("steps", "the section", node.head()));
                Vec::new()
            }
        };
        sections.push(Section { title, confirm: confirm.map(policy::confirm), items, span: node.head() });
    }
    (sections, whole)
}

fn items(node: &Node, kinds: &dyn KindNames, problems: &mut Problems) -> (Vec<Item>, bool) {
    let Some(list) = list(node, "`steps`", problems) else { return (Vec::new(), false) };
    let mut whole = true;
    let mut items = Vec::new();
    for node in list {
        match item(node, kinds, problems) {
            Some((item, all)) => {
                whole &= all;
                items.push(item);
            }
            None => whole = false,
        }
    }
    (items, whole)
}

fn item(node: &Node, kinds: &dyn KindNames, problems: &mut Problems) -> Option<(Item, bool)> {
    let Some((key, inner)) = node.entry("parallel") else {
        return step::step(node, kinds, Inside::Checklist, problems)
            .map(|step| (Item::Step(Box::new(step)), true));
    };
    for (other, _) in node.as_map().unwrap_or_default() {
        if other.name != "parallel" {
            problems.push(
                Problem::error(Code::ParallelContent, format!("`{}` stands beside `parallel`", other.name))
                    .at(other.span)
                    .help("`parallel` takes nothing but its list of steps; give each step its own keys"),
            );
        }
    }
    let list = list(inner, "`parallel`", problems)?;
    let steps: Vec<_> =
        list.iter().filter_map(|node| step::step(node, kinds, Inside::Parallel, problems)).collect();
    let whole = steps.len() == list.len();
    Some((Item::Parallel { steps, span: key.span }, whole))
}

/// A list with something in it.
pub(super) fn list<'a>(node: &'a Node, what: &str, problems: &mut Problems) -> Option<&'a [Node]> {
    match node.as_list() {
        Some([]) => {
            problems.push(Problem::error(Code::NoValue, format!("{what} is empty")).at(node.span));
            None
        }
        Some(items) => Some(items),
        None => {
            if !node.is_refused() {
                problems.push(
                    Problem::error(
                        Code::WrongType,
                        format!("{what} has to be a list, but this is {}", node.what()),
                    )
                    .at(node.head())
                    .help("begin each item with `- `"),
                );
            }
            None
        }
    }
}
