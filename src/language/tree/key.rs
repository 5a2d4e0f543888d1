//! Keys of maps: plain text, each once.

use std::collections::HashMap;

use super::{Key, Node, Style, Value};
use crate::error::escape::outside;
use crate::error::{Code, Problem, Problems, Span};

/// A node as a key, or nothing after reporting why it cannot be one. `null`: nothing is written there; `in_list`: its
/// map is an item of a list; `seen`: the keys of the map so far.
pub(super) fn key(
    node: Node,
    null: bool,
    in_list: bool,
    seen: &mut HashMap<String, Span>,
    problems: &mut Problems,
) -> Option<Key> {
    let span = node.span;
    let name = match node.value {
        Value::Scalar { text, style } if !null => {
            if style == Style::Plain && text == "<<" {
                problems.push(
                    Problem::error(
                        Code::MergeKey,
                        "the merge key `<<`: keys are written where they are meant",
                    )
                    .at(span),
                );
                return None;
            }
            text
        }
        Value::Scalar { text, .. } => {
            let help = format!("write a name; for the text `{text}` write `\"{text}\"`");
            let help = if text.is_empty() { "write a name before the `:`".to_owned() } else { help };
            problems.push(Problem::error(Code::KeyNotText, "a key is missing").at(span).help(help));
            return None;
        }
        Value::Refused => return None,
        Value::List(_) | Value::Map(_) => {
            let help = "use a short text as key; text that begins with `{` or `[`, such as `${name}` inside brackets, needs quotes";
            problems
                .push(Problem::error(Code::KeyNotText, "a list or map is used as a key").at(span).help(help));
            return None;
        }
    };
    if let Some(first) = seen.get(&name) {
        let problem = Problem::error(Code::DuplicateKey, format!("`{}` is given twice", outside(&name, 60)))
            .at(span)
            .label("again here")
            .related(*first, "first here");
        problems.push(if in_list {
            problem.help("keep one of the two; if another item begins here, put `- ` before it")
        } else {
            problem
        });
        return None;
    }
    seen.insert(name.clone(), span);
    Some(Key { name, span })
}
