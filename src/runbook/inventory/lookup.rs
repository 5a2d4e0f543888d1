//! Questions to an inventory, without its file.

use super::{Channel, Inventory};
use std::collections::BTreeMap;

impl Inventory {
    /// Names of all resources of a type, such as `dns_records`; none for a type that does not exist.
    pub fn names(&self, kind: &str) -> Vec<&str> {
        fn keys<T>(map: &BTreeMap<String, T>) -> Vec<&str> {
            map.keys().map(String::as_str).collect()
        }
        match kind {
            "regions" => keys(&self.regions),
            "postgres" => keys(&self.postgres),
            "dns_servers" => keys(&self.dns_servers),
            "dns_records" => keys(&self.dns_records),
            "caches" => keys(&self.caches),
            "endpoints" => keys(&self.endpoints),
            "metrics_servers" => keys(&self.metrics_servers),
            "signals" => keys(&self.signals),
            "channels" => keys(&self.channels),
            "commands" => keys(&self.commands),
            _ => Vec::new(),
        }
    }

    /// Whether there is a resource of a type with this name.
    pub fn has(&self, kind: &str, name: &str) -> bool {
        self.names(kind).contains(&name)
    }

    /// The channel for messages that name none: the one marked `default`, else the only one there is.
    pub fn default_channel(&self) -> Option<(&str, &Channel)> {
        let marked = self.channels.iter().find(|(_, channel)| channel.default);
        let only = self.channels.iter().next().filter(|_| self.channels.len() == 1);
        marked.or(only).map(|(name, channel)| (name.as_str(), channel))
    }

    /// What people call a region: its title, else its name.
    pub fn region_title<'a>(&'a self, region: &'a str) -> &'a str {
        self.regions.get(region).and_then(|found| found.title.as_deref()).unwrap_or(region)
    }
}
