//! Finds the inventory and joins its included files.

use super::inventory::Inventory;
use super::inventory::read::{Reader, TYPES};
use crate::error::{Code, FileId, Problem, Problems, Sources, Span};
use crate::language::tree::{self, Key, Node, Value};
use crate::language::{Limits, file};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// Name of the inventory's file.
pub const FILE_NAME: &str = "mrctl.yaml";

/// How deep includes may be nested.
const DEEPEST: usize = 8;

/// How many files an inventory may have.
const MOST_FILES: usize = 64;

/// Where to look for the inventory. The caller reads flags and environment.
#[derive(Clone, Copy, Debug)]
pub struct Search<'a> {
    /// `--inventory`.
    pub flag: Option<&'a Path>,
    /// `MRCTL_INVENTORY`.
    pub variable: Option<&'a Path>,
    /// The runbook.
    pub runbook: Option<&'a Path>,
    /// The working directory, absolute.
    pub working: &'a Path,
}

/// The inventory's path: as given, else the nearest `mrctl.yaml` at or above the runbook, else at or above the working directory.
///
/// # Errors
/// [`Code::InventoryNotFound`], with the folders in which the search began.
pub fn find(search: &Search<'_>) -> Result<PathBuf, Problem> {
    if let Some(path) = search.flag.or(search.variable) {
        return Ok(path.to_owned());
    }
    let beside = search.runbook.map(|path| search.working.join(path.parent().unwrap_or(Path::new(""))));
    // Canonical, because `..` and symbolic links would make "upward" mean something else than the operator sees.
    let beside = beside.map(|folder| folder.canonicalize().unwrap_or(folder));
    let starts: Vec<&Path> = beside.as_deref().into_iter().chain([search.working]).collect();
    for start in &starts {
        for folder in start.ancestors() {
            let candidate = folder.join(FILE_NAME);
            if candidate.is_file() {
                return Ok(shorten(candidate, search.working));
            }
        }
    }
    let mut places: Vec<_> = starts.iter().map(|start| format!("`{}`", start.display())).collect();
    places.dedup();
    Err(Problem::error(
        Code::InventoryNotFound,
        format!("there is no `{FILE_NAME}` at or above {}", places.join(" or ")),
    ))
}

/// Relative to the working directory where that is shorter to read.
fn shorten(path: PathBuf, working: &Path) -> PathBuf {
    match path.strip_prefix(working) {
        Ok(inside) => inside.to_owned(),
        Err(_) => path,
    }
}

/// An inventory that was read, with what problems and paths need.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The resources.
    pub inventory: Inventory,
    /// The text behind it, for places in problems.
    pub text: Places,
    /// Folder to which paths in the inventory are relative.
    pub folder: PathBuf,
    /// Every file that it was read from, the inventory itself first.
    pub files: Vec<FileId>,
}

/// The merged tree of an inventory: says where something stands.
#[derive(Clone, Debug)]
pub struct Places(Node);

impl Places {
    /// Wraps a tree.
    pub fn new(root: Node) -> Self {
        Self(root)
    }

    /// The place of the value at `path`, such as `["postgres", "orders", "members"]`: a text itself, otherwise its key; or that
    /// of the deepest part that is written.
    pub fn span(&self, path: &[&str]) -> Span {
        self.place(path, true)
    }

    /// Whether `path` is written, readable or not: what could not be read is a problem of its own, not a missing one.
    pub fn has(&self, path: &[&str]) -> bool {
        path.iter().try_fold(&self.0, |node, part| node.get(part)).is_some()
    }

    /// How many entries the map at `path` has as it is written.
    pub fn count(&self, path: &[&str]) -> usize {
        let node = path.iter().try_fold(&self.0, |node, part| node.get(part));
        node.and_then(Node::as_map).map_or(0, <[_]>::len)
    }

    /// Whether something else than a map stands at `path`: then what is in it is not known, and has been reported.
    pub fn is_no_map(&self, path: &[&str]) -> bool {
        let node = path.iter().try_fold(&self.0, |node, part| node.get(part));
        node.is_some_and(|node| node.as_map().is_none())
    }

    /// The place of the key at the end of `path`.
    pub fn key(&self, path: &[&str]) -> Span {
        self.place(path, false)
    }

    fn place(&self, path: &[&str], texts: bool) -> Span {
        let mut span = self.0.head();
        let mut node = &self.0;
        for part in path {
            let found = match &node.value {
                Value::Map(_) => node.entry(part).map(|(key, value)| (key.span, value)),
                Value::List(items) => {
                    part.parse::<usize>().ok().and_then(|at| items.get(at)).map(|n| (n.head(), n))
                }
                Value::Scalar { .. } | Value::Refused => None,
            };
            let Some((place, inner)) = found else { return span };
            span = if texts && inner.as_text().is_some() { inner.span } else { place };
            node = inner;
        }
        span
    }
}

/// Reads the inventory at `path` with everything that it includes. Rules beyond its form are those of [`super::check`].
pub fn load(path: &Path, sources: &mut Sources, problems: &mut Problems) -> Option<Loaded> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut joiner = Joiner {
        sources,
        problems,
        merged: Vec::new(),
        folders: BTreeMap::new(),
        files: Vec::new(),
        open: Vec::new(),
        seen: BTreeMap::new(),
    };
    let root = joiner.file(path, "", None)?;
    let Joiner { merged, folders, files, .. } = joiner;
    let node = Node { span: root, value: Value::Map(merged) };
    let inventory = Reader { root: &node, sources, folders: &folders }.inventory(problems)?;
    Some(Loaded { inventory, text: Places(node), folder, files })
}

/// Joins files into one tree. Places carry their file, so the tree needs no more than that.
struct Joiner<'a> {
    sources: &'a mut Sources,
    problems: &'a mut Problems,
    merged: Vec<(Key, Node)>,
    /// Folder of each file, relative to the inventory's.
    folders: BTreeMap<FileId, String>,
    files: Vec<FileId>,
    /// The chain of files being read, canonical.
    open: Vec<PathBuf>,
    /// Every file read, canonical, with the place that included it.
    seen: BTreeMap<PathBuf, Option<Span>>,
}

impl Joiner<'_> {
    /// Reads one file and merges it. `folder` is relative to the inventory's; `from` is the place of the include.
    fn file(&mut self, path: &Path, folder: &str, from: Option<Span>) -> Option<Span> {
        let canonical = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let mut found = Problems::new();
        let id = file::read_file(path, self.sources, &mut found);
        for problem in &found {
            let problem = problem.clone();
            // A file that is not there has no place of its own; the line that names it has.
            self.problems.push(match (problem.span, from) {
                (None, Some(from)) => problem.at(from),
                _ => problem,
            });
        }
        let id = id?;
        self.files.push(id);
        self.folders.insert(id, folder.to_owned());
        let (node, found) = tree::parse(id, self.sources.text(id), Limits::default());
        self.problems.append(found);
        let node = node?;
        let what = if from.is_some() { "the included file" } else { "the inventory" };
        if !super::parse::version(&node, what, self.problems) {
            return None;
        }
        let span = node.head();
        self.seen.insert(canonical.clone(), from);
        self.open.push(canonical);
        let Value::Map(entries) = node.value else { return None };
        let mut includes = None;
        for (key, value) in entries {
            match key.name.as_str() {
                "include" => includes = Some(value),
                name if TYPES.contains(&name) => self.merge(key, value),
                "mrctl" if from.is_some() => {}
                "name" | "defaults" | "rehearsal" | "policy" if from.is_some() => self.problems.push(
                    Problem::error(
                        Code::IncludeRefused,
                        format!("`{}` stands in an included file", key.name),
                    )
                    .at(key.span)
                    .help("move it into the inventory that includes this file"),
                ),
                _ => self.merged.push((key, value)),
            }
        }
        if let Some(includes) = includes {
            self.includes(&includes, path, folder);
        }
        self.open.pop();
        Some(span)
    }

    /// Adds the resources of one type; each is defined once.
    fn merge(&mut self, key: Key, value: Node) {
        let Some(at) = self.merged.iter().position(|(own, _)| own.name == key.name) else {
            self.merged.push((key, value));
            return;
        };
        let Value::Map(new) = value.value else {
            // What is no map is reported once, by the reader; here it would only hide the others.
            if !value.is_refused() {
                self.problems.push(
                    Problem::error(Code::WrongType, format!("`{}` has to be a map", key.name))
                        .at(value.head()),
                );
            }
            return;
        };
        let Some((_, Node { value: Value::Map(all), .. })) = self.merged.get_mut(at) else { return };
        for (name, resource) in new {
            match all.iter().find(|(own, _)| own.name == name.name) {
                Some((own, _)) => self.problems.push(
                    Problem::error(
                        Code::DuplicateResource,
                        format!("`{}.{}` is defined twice", key.name, name.name),
                    )
                    .at(name.span)
                    .related(own.span, "first here"),
                ),
                None => all.push((name, resource)),
            }
        }
    }

    fn includes(&mut self, node: &Node, path: &Path, folder: &str) {
        let Some(items) = node.as_list() else {
            if !node.is_refused() {
                self.problems.push(
                    Problem::error(Code::WrongType, "`include` has to be a list of paths")
                        .at(node.head())
                        .help("write `include: [postgres.yaml]`"),
                );
            }
            return;
        };
        for item in items {
            let Some(text) = item.as_text() else {
                if !item.is_refused() {
                    self.problems.push(
                        Problem::error(Code::WrongType, "a path to include has to be a text").at(item.head()),
                    );
                }
                continue;
            };
            match self.target(text, path) {
                Ok(target) => {
                    let inner = Path::new(text).parent().map(|p| p.to_string_lossy().replace('\\', "/"));
                    let inner = inner.unwrap_or_default();
                    let below = match (folder.is_empty(), inner.is_empty()) {
                        (true, _) => inner,
                        (false, true) => folder.to_owned(),
                        (false, false) => format!("{folder}/{inner}"),
                    };
                    self.file(&target, &below, Some(item.span));
                }
                Err(problem) => self.problems.push(problem.at(item.span)),
            }
        }
    }

    /// The file that an include means, if it may be read.
    fn target(&self, text: &str, path: &Path) -> Result<PathBuf, Problem> {
        let refused =
            |why: &str| Problem::error(Code::IncludeRefused, format!("`{text}` is not included: {why}"));
        if text.contains("://") {
            return Err(refused("it is a URL"));
        }
        if text.contains("${") {
            return Err(refused("a path to include is literal"));
        }
        let relative = Path::new(text);
        if text.is_empty() || !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(refused("the path has to be relative and without `.` or `..`"));
        }
        let folder = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let target = folder.join(relative);
        // A file that is not there is reported when it is read; what is there must not lead out of the folder.
        if let (Ok(real), Ok(root)) = (target.canonicalize(), folder.canonicalize()) {
            if !real.starts_with(&root) {
                return Err(refused("a symbolic link leads out of the folder"));
            }
            if self.open.contains(&real) {
                return Err(Problem::error(Code::IncludeCycle, format!("`{text}` includes itself")));
            }
            if let Some(first) = self.seen.get(&real) {
                let problem = refused("it is included already");
                return Err(match first {
                    Some(span) => problem.related(*span, "first here"),
                    None => problem,
                });
            }
        }
        if self.open.len() > DEEPEST {
            return Err(Problem::error(
                Code::IncludeCycle,
                format!("includes are nested deeper than {DEEPEST}"),
            ));
        }
        if self.files.len() >= MOST_FILES {
            return Err(refused("the inventory has too many files"));
        }
        Ok(target)
    }
}
