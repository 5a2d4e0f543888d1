//! The inventory as kinds see it.

use crate::runbook::inventory::{Command as Hook, Inventory, Writers};
use crate::step::scope::{CacheView, Cluster, Directory, Endpoint, Hooks, Record};
use crate::world::exec::Command;

/// Views of an inventory.
pub struct InventoryDirectory<'a>(pub &'a Inventory);

/// The word of the inventory for one of its choices.
fn word(choice: &impl serde::Serialize) -> String {
    serde_json::to_value(choice).ok().and_then(|value| value.as_str().map(String::from)).unwrap_or_default()
}

/// A hook as the port runs it.
pub fn command(hook: &Hook) -> Command {
    Command {
        argv: hook.command.clone(),
        env: hook.env.clone(),
        pass: hook.pass.clone(),
        timeout_ms: hook.timeout.millis(),
    }
}

impl Directory for InventoryDirectory<'_> {
    fn regions(&self) -> Vec<String> {
        self.0.regions.keys().cloned().collect()
    }

    fn cluster(&self, name: &str) -> Option<Cluster> {
        let cluster = self.0.postgres.get(name)?;
        let hooks = cluster.members.iter().map(|(region, member)| {
            let hooks = Hooks {
                stop: member.stop.as_ref().map(command),
                start: member.start.as_ref().map(command),
                control_data: member.control_data.as_ref().map(command),
                fence: member.fence.iter().map(command).collect(),
                fenced: member.fenced.as_ref().map(command),
                rejoin: member.rejoin.as_ref().map(command),
                look: member.look.as_ref().map(command),
                slot: member.slot.clone(),
            };
            (region.clone(), hooks)
        });
        Some(Cluster {
            name: name.to_string(),
            regions: cluster.members.keys().cloned().collect(),
            keep: cluster.keep.clone(),
            remote_writers: cluster.writers == Writers::Remote,
            probe_table: cluster.probe_table.clone(),
            manager: word(&cluster.manager),
            hooks: hooks.collect(),
        })
    }

    fn record(&self, name: &str) -> Option<Record> {
        let record = self.0.dns_records.get(name)?;
        Some(Record {
            name: name.to_string(),
            domain: record.name.clone(),
            kind: record.kind.as_str().to_string(),
            ttl: u32::try_from(record.ttl.millis() / 1000).unwrap_or(u32::MAX),
            servers: record.servers.clone(),
            targets: record.targets.clone(),
            normal: record
                .normal
                .iter()
                .map(|(region, share)| (region.clone(), share.basis_points()))
                .collect(),
        })
    }

    fn cache(&self, name: &str) -> Option<CacheView> {
        let cache = self.0.caches.get(name)?;
        Some(CacheView { name: name.to_string(), regions: cache.members.keys().cloned().collect() })
    }

    fn endpoint(&self, name: &str) -> Option<Endpoint> {
        let endpoint = self.0.endpoints.get(name)?;
        Some(Endpoint {
            name: name.to_string(),
            url: endpoint.url.clone(),
            status: endpoint.expect.status,
            regions: endpoint.members.keys().cloned().collect(),
        })
    }

    fn channel(&self, name: &str) -> Option<String> {
        if name.is_empty() {
            let mut channels = self.0.channels.iter();
            return match self.0.channels.len() {
                1 => channels.next().map(|(name, _)| name.clone()),
                _ => channels.find(|(_, channel)| channel.default).map(|(name, _)| name.clone()),
            };
        }
        self.0.channels.contains_key(name).then(|| name.to_string())
    }

    fn signal(&self, name: &str) -> Option<String> {
        self.0.signals.get(name).map(|signal| word(&signal.unit))
    }

    fn group(&self, name: &str) -> Option<Vec<String>> {
        self.0.groups.get(name).cloned()
    }

    fn names(&self, kind: &str) -> Vec<String> {
        match kind {
            "postgres" => self.0.postgres.keys().cloned().collect(),
            "dns_records" => self.0.dns_records.keys().cloned().collect(),
            "caches" => self.0.caches.keys().cloned().collect(),
            "endpoints" => self.0.endpoints.keys().cloned().collect(),
            "channels" => self.0.channels.keys().cloned().collect(),
            "signals" => self.0.signals.keys().cloned().collect(),
            _ => Vec::new(),
        }
    }
}
