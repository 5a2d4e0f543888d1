//! Events into a tree, refusing what the language does not have.

use super::{Key, Limits, Node, Style, Value, scan};
use crate::error::{Code, FileId, Problem, Problems, Span};
use granit_parser::{Event, Parser, ScalarStyle};

/// A collection that is being filled.
struct Open {
    start: usize,
    kind: Filling,
}

enum Filling {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, key: Option<Key> },
}

struct Builder<'p> {
    file: FileId,
    text: &'p str,
    problems: Problems,
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    nodes: usize,
    /// The end of the last plain scalar: a comment right behind it without a blank after `#` has cut it.
    plain_end: Option<usize>,
}

pub(super) fn parse(file: FileId, text: &str, limits: Limits) -> (Option<Node>, Problems) {
    let mut problems = Problems::new();
    if text.len() > limits.bytes {
        problems.push(Problem::error(
            Code::FileTooLarge,
            format!("the text has more than {} bytes", limits.bytes),
        ));
        return (None, problems);
    }
    scan::characters(file, text, &mut problems);
    if text.trim().is_empty() {
        problems.push(Problem::error(Code::EmptyFile, "the file has no content").at(Span::new(file, 0..0)));
        return (None, problems);
    }
    let mut builder = Builder {
        file,
        text,
        problems,
        stack: Vec::new(),
        root: None,
        documents: 0,
        nodes: 0,
        plain_end: None,
    };
    for next in Parser::new_from_str(text) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => {
                builder.syntax(&error);
                return (None, builder.problems);
            }
        };
        let range = span.byte_range().unwrap_or(0..0);
        let tag = span.tag_span().and_then(|tag| tag.byte_range()).unwrap_or(range.clone());
        if builder.stack.len() > limits.depth {
            let span = Span::new(file, range);
            let why = format!("nested more than {} levels deep", limits.depth);
            builder.problems.push(Problem::error(Code::TooDeep, why).at(span));
            return (None, builder.problems);
        }
        if builder.nodes > limits.nodes {
            let span = Span::new(file, range);
            builder.problems.push(
                Problem::error(Code::TooManyNodes, format!("more than {} entries", limits.nodes)).at(span),
            );
            return (None, builder.problems);
        }
        builder.event(event, range, tag);
    }
    let (root, problems) = (builder.root, builder.problems);
    (root, problems)
}

impl Builder<'_> {
    fn syntax(&mut self, error: &granit_parser::ScanError) {
        let marker = error.marker();
        let at = marker.byte_offset().unwrap_or_else(|| marker.index()).min(self.text.len());
        let line = self.text[..floor(self.text, at)].rsplit('\n').next().unwrap_or_default();
        let why = error.info().to_string();
        // What the scan of the characters has reported already needs no second problem at the same place.
        if self.text[floor(self.text, at)..].starts_with(char::is_control) && self.problems.has_errors() {
            return;
        }
        let code = match why.as_str() {
            "recursion limit exceeded" => Code::TooDeep,
            _ if line.contains('\t') => Code::Tab,
            _ => Code::Syntax,
        };
        self.problems.push(Problem::error(code, why).at(Span::new(self.file, at..at)));
    }

    fn refuse(&mut self, code: Code, message: &str, range: std::ops::Range<usize>) {
        self.problems.push(Problem::error(code, message).at(Span::new(self.file, range)));
    }

    fn event(&mut self, event: Event<'_>, range: std::ops::Range<usize>, tagged: std::ops::Range<usize>) {
        match event {
            Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_, version) => {
                self.documents += 1;
                if version.is_some() {
                    self.refuse(Code::Directive, "a YAML directive", range.clone());
                }
                if self.documents == 2 {
                    self.refuse(Code::SeveralDocuments, "a second document begins here", range);
                }
            }
            Event::Comment(text, _) => {
                let touching = self.plain_end.is_some_and(|end| {
                    self.text.get(end..range.start).is_some_and(|gap| gap.chars().all(|c| c == ' '))
                });
                if touching && text.chars().next().is_some_and(|c| !c.is_whitespace() && c != '#') {
                    let word = text.split_whitespace().next().unwrap_or_default();
                    self.refuse(Code::TextCut, &format!("the text is cut at `#{word}`"), range);
                }
            }
            Event::Alias(_) | Event::UnresolvedAlias(_) => {
                self.refuse(Code::Alias, "an alias", range.clone());
                self.add(Node { span: Span::new(self.file, range), value: Value::Refused }, None);
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.properties(anchor, tag.is_some().then(|| tagged.clone()), range.clone());
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
                };
                let span = Span::new(self.file, range.clone());
                let value = if tag.is_some() {
                    Value::Refused
                } else {
                    Value::Scalar { text: text.into_owned(), style }
                };
                self.add(Node { span, value }, Some(style));
                self.plain_end = (style == Style::Plain).then_some(range.end);
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.properties(anchor, tag.is_some().then(|| tagged.clone()), range.clone());
                self.open(range.start, Filling::List(Vec::new()));
            }
            Event::MappingStart(_, anchor, tag) => {
                self.properties(anchor, tag.is_some().then(|| tagged.clone()), range.clone());
                self.open(range.start, Filling::Map { entries: Vec::new(), key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(range.end),
            // Anchors are refused with the node that carries them; what later versions of the parser add is presentation.
            _ => {}
        }
    }

    fn properties(
        &mut self,
        anchor: usize,
        tag: Option<std::ops::Range<usize>>,
        range: std::ops::Range<usize>,
    ) {
        if anchor != 0 {
            self.refuse(Code::Anchor, "an anchor", range);
        }
        if let Some(tag) = tag {
            self.refuse(Code::Tag, "a tag, and the value behind it would vanish", tag);
        }
    }

    fn open(&mut self, start: usize, kind: Filling) {
        self.plain_end = None;
        self.nodes += 1;
        self.stack.push(Open { start, kind });
    }

    fn close(&mut self, end: usize) {
        let Some(Open { start, kind }) = self.stack.pop() else { return };
        let value = match kind {
            Filling::List(items) => Value::List(items),
            Filling::Map { entries, .. } => Value::Map(entries),
        };
        let end = match &value {
            Value::List(items) => items.last().map_or(end, |item| item.span.end as usize),
            Value::Map(entries) => entries.last().map_or(end, |(_, node)| node.span.end as usize),
            Value::Scalar { .. } | Value::Refused => end,
        };
        self.add(Node { span: Span::new(self.file, start..end.max(start)), value }, None);
    }

    /// Puts a finished node where it belongs. `style` is that of a scalar.
    fn add(&mut self, node: Node, style: Option<Style>) {
        self.nodes += 1;
        let as_key = matches!(self.stack.last(), Some(Open { kind: Filling::Map { key: None, .. }, .. }));
        if as_key {
            let key = self.key(&node);
            if let Some(Open { kind: Filling::Map { key: slot, .. }, .. }) = self.stack.last_mut() {
                *slot = Some(key);
            }
            return;
        }
        let node = self.valued(node, style);
        match self.stack.last_mut() {
            None => {
                if self.documents <= 1 {
                    self.root = Some(node);
                }
            }
            Some(Open { kind: Filling::List(items), .. }) => items.push(node),
            Some(Open { kind: Filling::Map { entries, key }, .. }) => {
                let Some(key) = key.take() else { return };
                if let Some((first, _)) = entries.iter().find(|(other, _)| other.name == key.name) {
                    let problem =
                        Problem::error(Code::DuplicateKey, format!("the key `{}` is given twice", key.name));
                    self.problems.push(problem.at(key.span).related(first.span, "first given here"));
                } else {
                    entries.push((key, node));
                }
            }
        }
    }

    fn key(&mut self, node: &Node) -> Key {
        match &node.value {
            Value::Scalar { text, .. } => {
                if text == "<<" {
                    self.problems.push(Problem::error(Code::MergeKey, "a merge key").at(node.span));
                }
                if text.contains("${") {
                    self.problems
                        .push(Problem::error(Code::InterpolationInKey, "a key contains `${`").at(node.span));
                }
                Key { name: text.clone(), span: node.span }
            }
            Value::List(_) | Value::Map(_) => {
                self.problems
                    .push(Problem::error(Code::KeyNotText, "a key must be a short text").at(node.head()));
                Key { name: String::new(), span: node.span }
            }
            Value::Refused => Key { name: String::new(), span: node.span },
        }
    }

    /// A key that is present has a value or is an error: it never vanishes silently.
    fn valued(&mut self, node: Node, style: Option<Style>) -> Node {
        let empty = style == Some(Style::Plain)
            && matches!(node.as_text(), Some("" | "~" | "null" | "Null" | "NULL"));
        if !empty {
            return node;
        }
        let (what, span) = match self.stack.last() {
            Some(Open { kind: Filling::Map { key: Some(key), .. }, .. }) => (
                format!("`{}` has no value", key.name),
                if node.span.range().is_empty() { key.span } else { node.span },
            ),
            _ => ("an item has no value".to_string(), node.span),
        };
        self.problems.push(Problem::error(Code::NoValue, what).at(span));
        Node { value: Value::Refused, ..node }
    }
}

fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Sources;

    /// The problems of a text as `code line:column message`.
    fn problems(text: &str) -> Vec<String> {
        let mut sources = Sources::new();
        let file = sources.add("r.yaml", text);
        let (_, problems) = parse(file, text, Limits::default());
        problems
            .iter()
            .map(|problem| {
                let place = problem.span.and_then(|span| sources.line_column(span)).unwrap();
                format!("{} {}:{} {}", problem.code, place.line, place.column, problem.message)
            })
            .collect()
    }

    #[test]
    fn every_refusal_has_its_code_and_place() {
        let table: &[(&str, &[&str])] = &[
            ("a: &x 1", &["MR0010 1:7 an anchor"]),
            ("a: &x 1\nb: *x", &["MR0010 1:7 an anchor", "MR0011 2:4 an alias"]),
            ("a: {b: 1}\n<<: {c: 2}", &["MR0012 2:1 a merge key"]),
            ("when: !drill", &["MR0013 1:7 a tag, and the value behind it would vanish"]),
            ("a: 1\na: 2", &["MR0014 2:1 the key `a` is given twice"]),
            ("confirm:\nid: x", &["MR0015 1:1 `confirm` has no value"]),
            ("confirm: ~", &["MR0015 1:10 `confirm` has no value"]),
            ("a: 1\n---\nb: 2", &["MR0016 2:1 a second document begins here"]),
            ("title: Fix issue #12", &["MR0017 1:18 the text is cut at `#12`"]),
            ("title: fine # a comment", &[]),
            ("? [a, b]\n: 1", &["MR0018 1:4 a key must be a short text"]),
            ("a: \"b\u{202e}c\"", &["MR0007 1:6 a character that turns the direction of text: U+202E"]),
            ("a: \"b\u{1}\"", &["MR0006 1:6 a control character: U+0001"]),
            ("${x}: 1", &["MR0205 1:1 a key contains `${`"]),
        ];
        for (text, expected) in table {
            assert_eq!(problems(text), *expected, "{text:?}");
        }
    }

    #[test]
    fn a_tab_as_indentation_is_called_by_its_name() {
        let found = problems("a:\n\t- b");
        assert!(found[0].starts_with("MR0009"), "{found:?}");
    }

    #[test]
    fn hostile_texts_end_soon_with_a_problem() {
        let deep = "[".repeat(500_000);
        assert!(problems(&deep).iter().any(|problem| problem.starts_with("MR0019")), "{:?}", problems(&deep));
        let many = format!("[{}]", "a,".repeat(200_000));
        assert!(problems(&many).iter().any(|problem| problem.starts_with("MR0020")));
        let mut bomb = String::from("a0: &a0 [x,x]\n");
        for level in 1..30 {
            bomb.push_str(&format!("a{level}: &a{level} [*a{0},*a{0}]\n", level - 1));
        }
        assert!(problems(&bomb).iter().any(|problem| problem.starts_with("MR0011")));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}|[-:{}\\[\\]&*!#\"'|> \\n\\ta-z]{0,80}") {
            let mut sources = Sources::new();
            let file = sources.add("r.yaml", text.as_str());
            let _ = parse(file, &text, Limits::default());
        }
    }
}
