//! Events into a tree, with everything refused that the language does not have.

use std::collections::{HashMap, HashSet};

use granit_parser::{Event, Parser, ScalarStyle, StructureStyle};

use super::key::key;
use super::{Key, Limits, Node, Style, Value, scan, syntax};
use crate::error::escape::outside;
use crate::error::{Code, FileId, Problem, Problems, Span};

/// See [`super::parse`]. Nothing here recurses: the depth of a file costs no stack.
pub(super) fn parse(file: FileId, text: &str, limits: Limits) -> (Option<Node>, Problems) {
    let mut problems = Problems::new();
    if text.len() > limits.bytes {
        let message = format!("the text has {} bytes; at most {} are read", text.len(), limits.bytes);
        problems.push(Problem::error(Code::FileTooLarge, message));
        return (None, problems);
    }
    let clean = scan::characters(file, text, &mut problems);
    let mut builder = Builder::new(file, &clean, limits, problems);
    let whole = builder.run();
    builder.finish(whole)
}

/// A map or list that is not closed yet.
struct Frame {
    start: usize,
    flow: bool,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map { entries: Vec<(Key, Node)>, seen: HashMap<String, Span>, pending: Pending },
}

/// What a map expects next.
enum Pending {
    Key,
    /// The value of a key; `None` if the key was refused, so that the value is read and dropped.
    Value(Option<Key>),
}

struct Builder<'a> {
    file: FileId,
    text: &'a str,
    limits: Limits,
    problems: Problems,
    frames: Vec<Frame>,
    nodes: usize,
    root: Option<Node>,
    /// Where plain scalars end, to tell comments that cut them.
    plain_ends: HashSet<usize>,
    comments: Vec<Span>,
}

impl<'a> Builder<'a> {
    fn new(file: FileId, text: &'a str, limits: Limits, problems: Problems) -> Builder<'a> {
        Builder {
            file,
            text,
            limits,
            problems,
            frames: Vec::new(),
            nodes: 0,
            root: None,
            plain_ends: HashSet::new(),
            comments: Vec::new(),
        }
    }

    /// Consumes events until the end; `false` if the text could not be read to its end.
    fn run(&mut self) -> bool {
        // The parser's own bounds lie a little above ours, so that ours are the ones reported.
        let options = granit_parser::options! {
            disallow_directives: true,
            emit_unresolved_aliases: true,
            emit_anchor_events: true,
            max_buffered_comment_events: self.limits.bytes,
            flow_nesting_limit: self.limits.depth + 4,
            block_nesting_limit: self.limits.depth + 4,
        };
        let mut documents = 0;
        for event in Parser::new_from_str_with_options(self.text, options) {
            let (event, place) = match event {
                Ok(event) => event,
                Err(error) => {
                    let problem = syntax::problem(self.file, self.text, &error);
                    // A text cut by a comment is reported with all others of its kind.
                    let at = problem.span.map_or(0, |span| span.start);
                    let cut = self
                        .comments
                        .iter()
                        .any(|comment| comment.start == at && meant_as_text(&self.text[comment.range()]));
                    if problem.code != Code::TextCut || !cut {
                        self.report(self.with_bracket(problem));
                    }
                    return false;
                }
            };
            let span = self.span(&place);
            if let Some(tag) = place.tag_span() {
                self.tag(&tag);
            }
            let go_on = match event {
                Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => true,
                Event::DocumentStart(..) => {
                    documents += 1;
                    if documents > 1 {
                        let span = Span { end: span.end.max(span.start + 1), ..span };
                        self.report(
                            Problem::error(Code::SeveralDocuments, "a second document begins here").at(span),
                        );
                    }
                    documents == 1
                }
                Event::Anchor(..) => {
                    let name = self.shown(span);
                    let help = format!("remove `{name}`; a text that begins with `&` needs quotes");
                    self.report(
                        Problem::error(
                            Code::Anchor,
                            format!("the anchor `{name}`: text is written where it is meant"),
                        )
                        .at(span)
                        .help(help),
                    );
                    true
                }
                Event::Alias(_) | Event::UnresolvedAlias(_) => {
                    let name = self.shown(span);
                    let help =
                        format!("write the text out; a text that begins with `*` needs quotes: `\"{name}\"`");
                    self.report(
                        Problem::error(
                            Code::Alias,
                            format!("the alias `{name}`: text is written where it is meant"),
                        )
                        .at(span)
                        .help(help),
                    );
                    self.node(Node { span, value: Value::Refused }, false)
                }
                Event::Comment(..) => {
                    self.comments.push(span);
                    true
                }
                Event::Scalar(text, style, anchor, tag) => {
                    self.scalar(span, text.into_owned(), style, anchor != 0 || tag.is_some())
                }
                Event::SequenceStart(style, ..) => self.open(span, style, Content::List(Vec::new())),
                Event::MappingStart(style, ..) => {
                    let content =
                        Content::Map { entries: Vec::new(), seen: HashMap::new(), pending: Pending::Key };
                    self.open(span, style, content)
                }
                Event::SequenceEnd | Event::MappingEnd => self.close(span),
                // A newer parser may know events that this reader does not: what is not understood is not accepted.
                _ => {
                    self.report(Problem::error(Code::Syntax, "this YAML is not understood").at(span));
                    return false;
                }
            };
            if !go_on {
                // More documents are refused but the first one is whole.
                return documents > 1;
            }
        }
        true
    }

    fn finish(mut self, whole: bool) -> (Option<Node>, Problems) {
        self.cut_texts();
        if !whole {
            return (None, self.problems);
        }
        if self.root.is_none() && !self.problems.has_errors() {
            self.problems.push(
                Problem::error(Code::EmptyFile, "the file has no content").at(Span::new(self.file, 0..0)),
            );
        }
        (self.root, self.problems)
    }

    fn scalar(&mut self, span: Span, text: String, style: ScalarStyle, marked: bool) -> bool {
        let style = match style {
            ScalarStyle::Plain => Style::Plain,
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
        };
        match style {
            Style::Plain => {
                self.plain_ends.insert(span.end as usize);
            }
            Style::Quoted => scan::escaped(&text, span, &mut self.problems),
            Style::Block => {}
        }
        if style == Style::Plain && matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL") {
            // Where nothing is written the parser says `~`.
            let written = if span.start == span.end { "" } else { text.as_str() };
            return self.null(span, written, marked);
        }
        self.node(Node::scalar(span, text, style), false)
    }

    /// Nothing where a value, an item or a key must be. `marked`: an anchor or tag stands there, reported already.
    fn null(&mut self, span: Span, text: &str, marked: bool) -> bool {
        let end = self.text.len();
        let at = span.start as usize;
        let refused = Node { span, value: Value::Refused };
        let problem = match self.frames.last().map(|frame| &frame.content) {
            Some(Content::Map { pending: Pending::Key, .. }) => {
                return self.node(Node::scalar(span, text, Style::Plain), true);
            }
            Some(Content::Map { pending: Pending::Value(None), .. }) => None,
            Some(Content::Map { pending: Pending::Value(Some(key)), .. }) => {
                let name = outside(&key.name, 60);
                let place = if text.is_empty() { key.span } else { span };
                Some(Problem::error(Code::NoValue, format!("`{name}` has no value")).at(place))
            }
            Some(Content::List(_)) => {
                // An empty item has an empty place: point at the dash or bracket before it.
                let before = self.text[..at.min(end)].trim_end();
                let start = before.char_indices().next_back().map_or(0, |(at, _)| at);
                let place = if text.is_empty() { Span::new(self.file, start..before.len()) } else { span };
                Some(Problem::error(Code::NoValue, "an item has no value").at(place))
            }
            // A file with nothing but comments is reported as empty.
            None if text.is_empty() => return true,
            None => {
                self.report(Problem::error(Code::EmptyFile, "the file has no content").at(span));
                return true;
            }
        };
        if let Some(mut problem) = problem.filter(|_| !marked) {
            if !text.is_empty() {
                let help = format!("give it a value or remove it; for the text `{text}` write `\"{text}\"`");
                problem = problem.help(help);
            } else if problem.span.is_some_and(|span| self.comment_follows(span)) {
                problem = problem
                    .help("text after a blank and `#` is a comment: put it in quotes if it is the value");
            }
            self.report(problem);
        }
        self.node(refused, false)
    }

    /// Puts a node where it belongs. `null`: it is a null, which matters for keys.
    fn node(&mut self, node: Node, null: bool) -> bool {
        self.nodes += 1;
        if self.nodes > self.limits.nodes {
            let message = format!("more than {} keys, values and items", self.limits.nodes);
            self.report(Problem::error(Code::TooManyNodes, message).at(node.span));
            return false;
        }
        let in_list =
            self.frames.iter().nth_back(1).is_some_and(|frame| matches!(frame.content, Content::List(_)));
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return true;
        };
        let in_list = in_list && !frame.flow;
        match &mut frame.content {
            Content::List(items) => items.push(node),
            Content::Map { entries, seen, pending } => {
                let before = std::mem::replace(pending, Pending::Key);
                match before {
                    Pending::Value(Some(key)) => entries.push((key, node)),
                    Pending::Value(None) => {}
                    Pending::Key => {
                        *pending = Pending::Value(key(node, null, in_list, seen, &mut self.problems))
                    }
                }
            }
        }
        true
    }

    fn open(&mut self, span: Span, style: StructureStyle, content: Content) -> bool {
        if self.frames.len() >= self.limits.depth {
            let message = format!("more than {} levels of maps and lists", self.limits.depth);
            let span = Span { end: span.end.max(span.start + 1), ..span };
            self.report(Problem::error(Code::TooDeep, message).at(span));
            return false;
        }
        self.frames.push(Frame { start: span.start as usize, flow: style == StructureStyle::Flow, content });
        true
    }

    fn close(&mut self, span: Span) -> bool {
        let Some(frame) = self.frames.pop() else { return true };
        let (value, last) = match frame.content {
            Content::List(items) => {
                let last = items.last().map(|node| node.span.end);
                (Value::List(items), last)
            }
            Content::Map { entries, .. } => {
                let last = entries.last().map(|(_, node)| node.span.end);
                (Value::Map(entries), last)
            }
        };
        // The parser ends a block where the next token begins; people end it with its last item.
        let end = if frame.flow { span.end } else { last.unwrap_or(span.start) } as usize;
        self.node(Node { span: Span::new(self.file, frame.start..end), value }, false)
    }

    /// Reports comments that were meant as text: `title: Fix issue #12`.
    fn cut_texts(&mut self) {
        for span in std::mem::take(&mut self.comments) {
            let start = span.start as usize;
            let before = self.text[..start].trim_end_matches([' ', '\t']);
            let word: String = self.text[span.range()].chars().take_while(|c| !c.is_whitespace()).collect();
            if !meant_as_text(&word) || before.len() == start || !self.plain_ends.contains(&before.len()) {
                continue;
            }
            let shown = outside(&word, 40);
            let word = Span::new(self.file, start..start + word.len());
            self.report(
                Problem::error(Code::TextCut, format!("the text is cut at `{shown}`"))
                    .at(word)
                    .label("from here on it is a comment")
                    .help("put the whole text in quotes; if a comment is meant, put a blank after `#`"),
            );
        }
    }

    /// After a key or dash there is nothing but a comment on the line.
    fn comment_follows(&self, span: Span) -> bool {
        let rest = self.text.get(span.end as usize..).unwrap_or_default();
        rest.trim_start_matches([' ', '\t', ':']).starts_with('#')
    }

    fn tag(&mut self, place: &granit_parser::Span) {
        let span = self.span(place);
        let shown = self.shown(span);
        let help = "remove it, or put the text in quotes if it begins with `!`; a condition writes `not`";
        self.report(
            Problem::error(Code::Tag, format!("the tag `{shown}`: the key says what a value is"))
                .at(span)
                .help(help),
        );
    }

    /// A bracket that was never closed is found only where something no longer fits: shows where it was opened.
    fn with_bracket(&self, problem: Problem) -> Problem {
        let Some(frame) = self.frames.last().filter(|frame| frame.flow) else { return problem };
        let open = Span::new(self.file, frame.start..frame.start + 1);
        if problem.span == Some(open) {
            return problem;
        }
        let help = format!(
            "close the `{}`, or put text that contains brackets, `,` or `: ` in quotes",
            self.shown(open)
        );
        problem.related(open, "inside this bracket").help(help)
    }

    fn report(&mut self, problem: Problem) {
        self.problems.push(problem);
    }

    fn shown(&self, span: Span) -> String {
        outside(self.text.get(span.range()).unwrap_or_default(), 60)
    }

    /// The parser's place in bytes; for texts it always has them.
    fn span(&self, place: &granit_parser::Span) -> Span {
        Span::new(self.file, place.byte_range().unwrap_or(0..0))
    }
}

/// What begins with `#` was hardly meant as a comment: rulers (`#-----`, `##`) and comments proper (`# words`) are.
fn meant_as_text(comment: &str) -> bool {
    comment.chars().nth(1).is_some_and(|c| c.is_alphanumeric() || "_$&@<({\"'%".contains(c))
}

#[cfg(test)]
mod tests;
