//! Rules for inventories: regions, members, addresses, references.

use super::InventoryContext;
use crate::error::suggest::closest;
use crate::error::{Code, Problem, Problems};
use crate::runbook::address;
use crate::runbook::inventory::{
    ChannelBackend, Command, DnsBackend, Inventory, MetricsBackend, SignalBackend, Tls, Verify,
};

/// Types whose groups make sense: those that steps name.
const GROUPABLE: [&str; 6] = ["postgres", "dns_records", "caches", "endpoints", "channels", "commands"];

/// Words of `in:`, which a region's name must not be.
const PLACES: [&str; 5] = ["from", "to", "both", "others", "all"];

impl InventoryContext<'_> {
    /// The resources.
    pub(super) fn inventory(&self) -> &Inventory {
        &self.loaded.inventory
    }

    /// Whether the inventory names such a resource, even if it could not be read.
    fn declared(&self, kind: &str, name: &str) -> bool {
        self.inventory().has(kind, name) || self.loaded.text.has(&[kind, name])
    }

    /// Adds an error at a path of the inventory.
    pub(super) fn error(&self, code: Code, message: String, path: &[&str], problems: &mut Problems) {
        problems.push(Problem::error(code, message).at(self.loaded.text.span(path)));
    }

    /// Adds an error for each region of a path that does not exist.
    pub(super) fn known_regions<'r>(
        &self,
        regions: impl Iterator<Item = &'r String>,
        path: &[&str],
        problems: &mut Problems,
    ) {
        let all = &self.inventory().regions;
        if self.loaded.text.is_no_map(&["regions"]) {
            return;
        }
        for region in regions.filter(|region| !self.declared("regions", region)) {
            let path: Vec<&str> = path.iter().copied().chain([region.as_str()]).collect();
            let problem = Problem::error(Code::UnknownRegion, format!("there is no region `{region}`"))
                .at(self.loaded.text.key(&path));
            problems.push(suggest(problem, region, all.keys().map(String::as_str), "add it under `regions`"));
        }
    }

    /// Adds an error if there is no resource of a type with this name.
    pub(super) fn known(&self, kind: &str, name: &str, path: &[&str], problems: &mut Problems) {
        let names = self.inventory().names(kind);
        if !self.declared(kind, name) {
            let problem = Problem::error(Code::UnknownReference, format!("there is no `{name}` in `{kind}`"))
                .at(self.loaded.text.span(path));
            problems.push(suggest(problem, name, names.into_iter(), &format!("add it under `{kind}`")));
        }
    }
}

fn suggest<'a>(
    problem: Problem,
    word: &str,
    names: impl Iterator<Item = &'a str>,
    otherwise: &str,
) -> Problem {
    match closest(word, names) {
        Some(near) => problem.help(format!("did you mean `{near}`?")),
        None => problem.help(otherwise),
    }
}

pub(super) fn regions_make_sense(context: &InventoryContext<'_>, problems: &mut Problems) {
    let regions = &context.inventory().regions;
    let written = context.loaded.text.count(&["regions"]);
    if written < 2 && !context.loaded.text.is_no_map(&["regions"]) {
        let message = format!("there is nowhere to fail over to: {written} region");
        context.error(Code::TooFewRegions, message, &["regions"], problems);
    }
    for (name, region) in regions {
        if PLACES.contains(&name.as_str()) {
            let message = format!("`{name}` cannot be the name of a region: it is a word of `in:`");
            problems
                .push(Problem::error(Code::BadName, message).at(context.loaded.text.key(&["regions", name])));
        }
        for fact in region.facts.keys() {
            let word = fact.starts_with(|c: char| c.is_ascii_lowercase())
                && fact.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            if !word {
                let span = context.loaded.text.key(&["regions", name, "facts", fact]);
                problems.push(
                    Problem::error(Code::BadName, format!("`{fact}` cannot be the name of a fact"))
                        .at(span)
                        .help("use lowercase letters, digits and `_`"),
                );
            }
        }
    }
}

pub(super) fn members_stand_in_regions(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    let members = inventory
        .postgres
        .iter()
        .map(|(name, cluster)| ("postgres", name, cluster.members.keys().collect::<Vec<_>>()))
        .chain(inventory.caches.iter().map(|(name, cache)| ("caches", name, cache.members.keys().collect())))
        .chain(inventory.endpoints.iter().map(|(name, e)| ("endpoints", name, e.members.keys().collect())));
    for (kind, name, regions) in members {
        context.known_regions(regions.iter().copied(), &[kind, name, "members"], problems);
        if regions.len() < 2 {
            let place = context.loaded.text.span(&[kind, name, "members"]);
            let message = format!("`{name}` has fewer than two members: no run can move it");
            problems.push(Problem::warning(Code::TooFewMembers, message).at(place));
        }
    }
}

pub(super) fn hosts_and_urls_are_plain(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    let mut check = |found: Result<(), String>, path: &[&str]| {
        if let Err(why) = found {
            context.error(Code::BadAddress, why, path, problems);
        }
    };
    for (name, cluster) in &inventory.postgres {
        for (region, member) in &cluster.members {
            check(address::host(&member.host), &["postgres", name, "members", region, "host"]);
        }
    }
    for (name, cache) in &inventory.caches {
        for (region, member) in &cache.members {
            check(address::host(&member.host), &["caches", name, "members", region, "host"]);
        }
    }
    for (name, server) in &inventory.dns_servers {
        let DnsBackend::Powerdns(powerdns) = &server.backend;
        check(address::url(&powerdns.url), &["dns_servers", name, "powerdns", "url"]);
        if let Some(query) = &server.query {
            check(address::host_and_port(query), &["dns_servers", name, "query"]);
        }
    }
    for (name, endpoint) in &inventory.endpoints {
        check(address::url(&endpoint.url), &["endpoints", name, "url"]);
        if !(100..=599).contains(&endpoint.expect.status) {
            let why = format!("{} is not an HTTP status", endpoint.expect.status);
            check(Err(why), &["endpoints", name, "expect", "status"]);
        }
        for (region, member) in &endpoint.members {
            check(address::ip_and_port(member), &["endpoints", name, "members", region]);
        }
    }
    for (name, server) in &inventory.metrics_servers {
        let MetricsBackend::Prometheus(prometheus) = &server.backend;
        check(address::url(&prometheus.url), &["metrics_servers", name, "prometheus", "url"]);
    }
    for (name, signal) in &inventory.signals {
        if let SignalBackend::Http(http) = &signal.backend {
            check(address::url(&http.url), &["signals", name, "http", "url"]);
            if !http.pointer.is_empty() && !http.pointer.starts_with('/') {
                let why = format!("`{}` is not a JSON pointer: it begins with `/`", http.pointer);
                check(Err(why), &["signals", name, "http", "pointer"]);
            }
        }
    }
}

pub(super) fn tls_is_not_off_by_accident(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    let mut all: Vec<(&Tls, Vec<&str>)> = Vec::new();
    for (name, cluster) in &inventory.postgres {
        all.push((&cluster.tls, vec!["postgres", name, "tls"]));
    }
    for (name, endpoint) in &inventory.endpoints {
        all.push((&endpoint.tls, vec!["endpoints", name, "tls"]));
    }
    for (name, cache) in &inventory.caches {
        let crate::runbook::inventory::CacheBackend::Redis(redis) = &cache.backend;
        all.extend(redis.tls.iter().map(|tls| (tls, vec!["caches", name, "redis", "tls"])));
    }
    for (name, server) in &inventory.dns_servers {
        let DnsBackend::Powerdns(powerdns) = &server.backend;
        all.push((&powerdns.tls, vec!["dns_servers", name, "powerdns", "tls"]));
        if address::is_open(&powerdns.url) {
            let place = context.loaded.text.span(&["dns_servers", name, "powerdns", "url"]);
            let message = "the API key travels without encryption";
            problems.push(Problem::warning(Code::InsecureTls, message).at(place).help("use `https://`"));
        }
    }
    for (name, server) in &inventory.metrics_servers {
        let MetricsBackend::Prometheus(prometheus) = &server.backend;
        all.push((&prometheus.tls, vec!["metrics_servers", name, "prometheus", "tls"]));
    }
    for (name, signal) in &inventory.signals {
        if let SignalBackend::Http(http) = &signal.backend {
            all.push((&http.tls, vec!["signals", name, "http", "tls"]));
        }
    }
    for (name, channel) in &inventory.channels {
        let (tls, key) = match &channel.backend {
            ChannelBackend::Webhook(webhook) => (&webhook.tls, "webhook"),
            ChannelBackend::Slack(slack) => (&slack.tls, "slack"),
        };
        all.push((tls, vec!["channels", name, key, "tls"]));
    }
    for (tls, path) in all {
        if tls.verify == Verify::None && !tls.insecure {
            let place = context.loaded.text.span(&path);
            problems.push(
                Problem::error(Code::InsecureTls, "`verify: none` turns protection off")
                    .at(place)
                    .help("use `verify: full`, or add `insecure: true` if nobody else can be on the path"),
            );
        }
    }
}

pub(super) fn references_resolve(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    for (name, record) in &inventory.dns_records {
        for (at, server) in record.servers.iter().enumerate() {
            let at = at.to_string();
            context.known("dns_servers", server, &["dns_records", name, "servers", &at], problems);
        }
    }
    for (name, signal) in &inventory.signals {
        match &signal.backend {
            SignalBackend::Prometheus(query) => {
                let path = ["signals", name, "prometheus", "server"];
                context.known("metrics_servers", &query.server, &path, problems);
            }
            SignalBackend::Sql(sql) => {
                context.known("postgres", &sql.cluster, &["signals", name, "sql", "cluster"], problems);
            }
            SignalBackend::Http(_) => {}
        }
    }
    for (kind, name, at) in dependencies(inventory) {
        if !context.declared("regions", at) {
            let problem = Problem::error(Code::UnknownRegion, format!("there is no region `{at}`"))
                .at(context.loaded.text.span(&[kind, name, "at"]));
            let regions = inventory.regions.keys().map(String::as_str);
            problems.push(suggest(problem, at, regions, "add it under `regions`, or remove `at`"));
        }
    }
}

/// Everything that says where it lives: type, name, region.
fn dependencies(inventory: &Inventory) -> Vec<(&'static str, &str, &str)> {
    let dns = inventory.dns_servers.iter().map(|(name, s)| ("dns_servers", name, &s.at));
    let metrics = inventory.metrics_servers.iter().map(|(name, s)| ("metrics_servers", name, &s.at));
    let channels = inventory.channels.iter().map(|(name, c)| ("channels", name, &c.at));
    dns.chain(metrics)
        .chain(channels)
        .filter_map(|(kind, name, at)| Some((kind, name.as_str(), at.as_deref()?)))
        .collect()
}

pub(super) fn dependencies_live_elsewhere(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    for (kind, name, at) in dependencies(inventory) {
        let leaves = context.leaving.is_none_or(|leaving| leaving == at);
        if leaves && inventory.regions.contains_key(at) {
            problems.push(
                Problem::warning(
                    Code::DependencyInRegion,
                    format!("`{name}` lives in `{at}`: a run that leaves `{at}` would need it"),
                )
                .at(context.loaded.text.span(&[kind, name, "at"])),
            );
        }
    }
}

pub(super) fn groups_resolve(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    for (group, members) in &inventory.groups {
        let path = ["groups", group.as_str()];
        if members.is_empty() {
            context.error(Code::BadGroup, format!("the group `{group}` is empty"), &path, problems);
            continue;
        }
        if let Some(kind) = GROUPABLE.iter().find(|kind| context.declared(kind, group)) {
            let message = format!("`{group}` is also a resource in `{kind}`");
            context.error(Code::BadGroup, message, &path, problems);
        }
        if GROUPABLE.iter().any(|kind| members.iter().all(|member| context.declared(kind, member))) {
            continue;
        }
        for (at, member) in members.iter().enumerate() {
            if !GROUPABLE.iter().any(|kind| context.declared(kind, member)) {
                let names = GROUPABLE.iter().flat_map(|kind| inventory.names(kind));
                let at = at.to_string();
                let place = context.loaded.text.span(&["groups", group, &at]);
                let problem =
                    Problem::error(Code::BadGroup, format!("there is no resource `{member}`")).at(place);
                problems.push(suggest(problem, member, names, "a group names resources, not groups"));
            }
        }
        if members.iter().all(|member| GROUPABLE.iter().any(|kind| context.declared(kind, member))) {
            let message = format!("the members of `{group}` are not all of one type");
            context.error(Code::BadGroup, message, &path, problems);
        }
    }
}

pub(super) fn one_default_channel(context: &InventoryContext<'_>, problems: &mut Problems) {
    let mut defaults = context.inventory().channels.iter().filter(|(_, channel)| channel.default);
    let Some((first, _)) = defaults.next() else { return };
    for (other, _) in defaults {
        problems.push(
            Problem::error(
                Code::SeveralDefaults,
                format!("`{first}` and `{other}` are both the default channel"),
            )
            .at(context.loaded.text.span(&["channels", other, "default"]))
            .related(context.loaded.text.span(&["channels", first, "default"]), "also here"),
        );
    }
}

pub(super) fn commands_name_a_program(context: &InventoryContext<'_>, problems: &mut Problems) {
    let inventory = context.inventory();
    let mut check = |command: &Command, path: &[&str]| {
        if command.command.first().is_none_or(|program| program.trim().is_empty()) {
            context.error(Code::BadCommand, "the command has no program".to_owned(), path, problems);
        } else if command.command.iter().any(|part| part.contains('\0')) {
            context.error(Code::BadCommand, "an argument contains a zero byte".to_owned(), path, problems);
        }
    };
    for (name, command) in &inventory.commands {
        check(command, &["commands", name, "command"]);
    }
    for (name, cluster) in &inventory.postgres {
        for (region, member) in &cluster.members {
            let hooks = [
                ("stop", &member.stop),
                ("start", &member.start),
                ("control_data", &member.control_data),
                ("look", &member.look),
                ("rejoin", &member.rejoin),
                ("fenced", &member.fenced),
            ];
            for (hook, command) in hooks {
                if let Some(command) = command {
                    check(command, &["postgres", name, "members", region, hook, "command"]);
                }
            }
        }
    }
}

/// What `mrctl rehearse --deep` tries.
const MOST_FAULTS: u32 = 3;

pub(super) fn rehearsals_can_be_demanded(context: &InventoryContext<'_>, problems: &mut Problems) {
    let Some(rehearsal) = &context.inventory().rehearsal else { return };
    if rehearsal.faults > MOST_FAULTS {
        let message = format!("no rehearsal tries {} faults in one schedule", rehearsal.faults);
        let place = context.loaded.text.span(&["rehearsal", "faults"]);
        problems.push(Problem::error(Code::BadValue, message).at(place).help("write a number from 0 to 3"));
    }
    if rehearsal.max_age.is_some_and(|age| age.is_zero()) {
        let place = context.loaded.text.span(&["rehearsal", "max_age"]);
        let problem = Problem::error(Code::BadValue, "every rehearsal is older than `0s`").at(place);
        problems.push(problem.help("write how old it may be, such as `30d`"));
    }
}
