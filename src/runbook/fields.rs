//! Reading a map whose keys are known, key by key: what `serde` cannot do where keys choose what follows.

use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems, Span};
use crate::language::name::LONGEST;
use crate::language::tree::{Key, Node};
use crate::language::{Spanned, from_node};
use serde::de::DeserializeOwned;

/// A map and its entries.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a> {
    node: &'a Node,
    entries: &'a [(Key, Node)],
}

impl<'a> Fields<'a> {
    /// Opens a node that has to be a map; `what` names it in the message.
    pub(crate) fn open(node: &'a Node, what: &str, problems: &mut Problems) -> Option<Self> {
        match node.as_map() {
            Some(entries) => Some(Self { node, entries }),
            None => {
                if !node.is_refused() {
                    problems.push(
                        Problem::error(
                            Code::WrongType,
                            format!("{what} has to be a map, but this is {}", node.what()),
                        )
                        .at(node.head()),
                    );
                }
                None
            }
        }
    }

    /// Reports every key that is not known.
    pub(crate) fn only(&self, known: &[&str], what: &str, problems: &mut Problems) {
        for (key, _) in self.entries {
            if !known.contains(&key.name.as_str()) {
                problems.push(unknown_key(key, known.iter().copied(), what));
            }
        }
    }

    /// All entries.
    pub(crate) fn entries(&self) -> &'a [(Key, Node)] {
        self.entries
    }

    /// The value of a key.
    pub(crate) fn node(&self, key: &str) -> Option<&'a Node> {
        self.entries.iter().find(|(found, _)| found.name == key).map(|(_, node)| node)
    }

    /// A typed value, if the key is there and the value can be read.
    pub(crate) fn read<T: DeserializeOwned>(&self, key: &str, problems: &mut Problems) -> Option<T> {
        self.node(key).and_then(|node| from_node(node, problems))
    }

    /// A typed value whose absence is a problem.
    pub(crate) fn need<T: DeserializeOwned>(
        &self,
        key: &str,
        what: &str,
        problems: &mut Problems,
    ) -> Option<T> {
        if self.node(key).is_none() {
            problems.push(missing(key, what, self.node.head()));
        }
        self.read(key, problems)
    }

    /// A short place to point at.
    pub(crate) fn head(&self) -> Span {
        self.node.head()
    }
}

/// A required key is not there.
pub(crate) fn missing(key: &str, what: &str, span: Span) -> Problem {
    Problem::error(Code::MissingKey, format!("{what} has no `{key}`")).at(span).help(format!("add `{key}:`"))
}

/// A key that nobody knows, with what may have been meant.
pub(crate) fn unknown_key<'a>(
    key: &Key,
    known: impl Iterator<Item = &'a str> + Clone,
    what: &str,
) -> Problem {
    let problem =
        Problem::error(Code::UnknownKey, format!("`{}` is not a key of {what}", key.name)).at(key.span);
    match closest(&key.name, known.clone()) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => {
            let known: Vec<_> = known.map(|key| format!("`{key}`")).collect();
            problem.help(format!("possible are {}", known.join(", ")))
        }
    }
}

/// What may have been meant: the nearest, else all there are; none if there is nothing.
pub(crate) fn meant(word: &str, known: &[&str]) -> Option<String> {
    closest(word, known.iter().copied())
        .map(|near| format!("did you mean `{near}`?"))
        .or_else(|| there_are(known))
}

/// All there are.
pub(crate) fn there_are(known: &[&str]) -> Option<String> {
    match known {
        [] => None,
        [only] => Some(format!("there is `{only}`")),
        all => {
            let all: Vec<_> = all.iter().map(|name| format!("`{name}`")).collect();
            Some(format!("there are {}", all.join(", ")))
        }
    }
}

/// Which separators a name may have besides letters and digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameForm {
    /// `[a-z][a-z0-9_]*`: can be used in conditions and `${…}`.
    Word,
    /// `[a-z][a-z0-9_-]*`: regions and resources.
    Hyphens,
}

/// Whether a name has the form; reports it otherwise. `what` is such as "the id of a step".
pub(crate) fn check_name(
    name: &str,
    form: NameForm,
    what: &str,
    span: Span,
    problems: &mut Problems,
) -> bool {
    let tail = |c: char| {
        c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || (c == '-' && form == NameForm::Hyphens)
    };
    let fine =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(tail) && name.len() <= LONGEST;
    if !fine {
        let separators = match form {
            NameForm::Word => "`_`",
            NameForm::Hyphens => "`-`, `_`",
        };
        problems.push(Problem::error(Code::BadName, format!("`{name}` cannot be {what}")).at(span).help(
            format!(
                "use lowercase letters, digits and {separators}, beginning with a letter, at most {LONGEST}"
            ),
        ));
    }
    fine
}

/// The text of a node with its place.
pub(crate) fn text(node: &Node, problems: &mut Problems) -> Option<Spanned<String>> {
    from_node(node, problems)
}
