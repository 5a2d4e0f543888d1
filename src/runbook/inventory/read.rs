//! Reads the merged tree of an inventory into typed resources, each for itself, so that one mistake hides no other.

use super::Inventory;
use super::paths::Paths;
use super::secret::PLAIN_SECRET;
use crate::error::{Code, FileId, Problem, Problems, Sources};
use crate::language::from_node;
use crate::language::tree::{Key, Node, Value};
use crate::runbook::fields::{Fields, NameForm, check_name};
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;

/// Types of resources: maps by name, which `include` merges.
pub const TYPES: &[&str] = &[
    "regions",
    "postgres",
    "dns_servers",
    "dns_records",
    "caches",
    "endpoints",
    "metrics_servers",
    "signals",
    "channels",
    "commands",
    "groups",
];

/// Keys at the top besides [`TYPES`].
pub const HEAD_KEYS: &[&str] = &["mrctl", "name", "include", "defaults", "rehearsal", "policy"];

/// Types that have no defaults: there is nothing that several of them could share.
const WITHOUT_DEFAULTS: &[&str] = &["regions", "groups"];

/// Where a secret stands in a resource of a type. Kept complete by a test against the schema.
pub(in crate::runbook) const SECRETS: &[(&str, &[&str])] = &[
    ("postgres", &["password"]),
    ("dns_servers", &["powerdns", "key"]),
    ("caches", &["redis", "password"]),
    ("metrics_servers", &["prometheus", "password"]),
    ("metrics_servers", &["prometheus", "token"]),
    ("signals", &["http", "token"]),
    ("channels", &["webhook", "url"]),
    ("channels", &["slack", "webhook"]),
];

/// What reading needs besides the tree.
pub(crate) struct Reader<'a> {
    /// The merged tree.
    pub(crate) root: &'a Node,
    /// For the place in messages that show no line of text.
    pub(crate) sources: &'a Sources,
    /// Folder of each included file below the inventory's, for paths in it.
    pub(crate) folders: &'a BTreeMap<FileId, String>,
}

impl Reader<'_> {
    /// Reads everything. `None` if the head cannot be read; problems may be there even if not.
    pub(crate) fn inventory(&self, problems: &mut Problems) -> Option<Inventory> {
        let fields = Fields::open(self.root, "the inventory", problems)?;
        let known: Vec<&str> = HEAD_KEYS.iter().chain(TYPES).copied().collect();
        fields.only(&known, "an inventory", problems);
        let name: Option<String> = fields.need("name", "the inventory", problems);
        if let (Some(name), Some(node)) = (&name, fields.node("name")) {
            check_name(name, NameForm::Hyphens, "the name of an environment", node.span, problems);
        }
        if fields.node("regions").is_none() {
            problems.push(crate::runbook::fields::missing("regions", "the inventory", fields.head()));
        }
        self.check_defaults(problems);
        Some(Inventory {
            mrctl: 1,
            name: name.unwrap_or_default(),
            rehearsal: self.root.get("rehearsal").and_then(|node| from_node(node, problems)),
            policy: self.root.get("policy").and_then(|node| from_node(node, problems)),
            regions: self.read("regions", "a region", problems),
            postgres: self.read("postgres", "a cluster", problems),
            dns_servers: self.read("dns_servers", "a DNS server", problems),
            dns_records: self.read("dns_records", "a DNS record", problems),
            caches: self.read("caches", "a cache", problems),
            endpoints: self.read("endpoints", "an endpoint", problems),
            metrics_servers: self.read("metrics_servers", "a metrics server", problems),
            signals: self.read("signals", "a signal", problems),
            channels: self.read("channels", "a channel", problems),
            commands: self.read("commands", "a command", problems),
            groups: self.read("groups", "a group", problems),
        })
    }

    fn read<T: DeserializeOwned + Paths>(
        &self,
        kind: &str,
        what: &str,
        problems: &mut Problems,
    ) -> BTreeMap<String, T> {
        let mut resources = BTreeMap::new();
        let Some(node) = self.root.get(kind) else { return resources };
        let Some(fields) = Fields::open(node, &format!("`{kind}`"), problems) else { return resources };
        // Signals are called in conditions, where a hyphen would be a minus.
        let form = if kind == "signals" { NameForm::Word } else { NameForm::Hyphens };
        for (key, node) in fields.entries() {
            check_name(&key.name, form, &format!("the name of {what}"), key.span, problems);
            let node = self.with_defaults(kind, node);
            if self.plain_secret(kind, key, &node, problems) {
                continue;
            }
            if let Some(mut resource) = from_node::<T>(&node, problems) {
                if let Some(folder) = self.folders.get(&key.span.file).filter(|folder| !folder.is_empty()) {
                    resource.paths(&mut |path| {
                        if !path.starts_with('/') {
                            *path = format!("{folder}/{path}");
                        }
                    });
                }
                resources.insert(key.name.clone(), resource);
            }
        }
        resources
    }

    /// The resource's own keys, then those of `defaults` that it does not have.
    fn with_defaults(&self, kind: &str, node: &Node) -> Node {
        let defaults = self.root.get("defaults").and_then(|all| all.get(kind)).and_then(Node::as_map);
        let (Some(defaults), Value::Map(entries)) = (defaults, &node.value) else { return node.clone() };
        let mut entries = entries.clone();
        for (key, value) in defaults {
            if !entries.iter().any(|(own, _)| own.name == key.name) {
                entries.push((key.clone(), value.clone()));
            }
        }
        Node { span: node.span, value: Value::Map(entries) }
    }

    fn check_defaults(&self, problems: &mut Problems) {
        let Some(node) = self.root.get("defaults") else { return };
        let Some(fields) = Fields::open(node, "`defaults`", problems) else { return };
        let known: Vec<&str> =
            TYPES.iter().copied().filter(|kind| !WITHOUT_DEFAULTS.contains(kind)).collect();
        fields.only(&known, "`defaults`", problems);
        for (key, node) in fields.entries() {
            Fields::open(node, &format!("the default of `{}`", key.name), problems);
        }
    }

    /// Whether a secret stands there as plain text. The problem has no span, because a snippet would show the secret, and
    /// nothing else is said of the resource, for the same reason.
    fn plain_secret(&self, kind: &str, key: &Key, node: &Node, problems: &mut Problems) -> bool {
        let mut found = false;
        for (_, path) in SECRETS.iter().filter(|(of, _)| *of == kind) {
            let secret = path.iter().try_fold(node, |node, part| node.get(part));
            let Some(secret) = secret.filter(|node| node.as_text().is_some()) else { continue };
            found = true;
            let line = self.sources.line_column(secret.span).map_or(0, |place| place.line);
            problems.push(
                Problem::error(
                    Code::PlainSecret,
                    format!(
                        "the secret `{kind}.{}.{}` is plain text in {}, line {line}",
                        key.name,
                        path.join("."),
                        self.sources.path(secret.span.file),
                    ),
                )
                .help(PLAIN_SECRET),
            );
        }
        found
    }
}
