use super::*;
use crate::error::Code;
use crate::runbook::inventory::{DnsBackend, Inventory, Manager, Secret, SignalBackend, Verify, Writers};

#[test]
fn the_designs_inventory_is_read_and_only_warned_of_its_dns_server() {
    let (loaded, problems) = check_inventory(&fixture("production.yaml"));
    assert_eq!(
        lines(&problems),
        ["warning MR0517 `pdns-eu` lives in `eu-west`: a run that leaves `eu-west` would need it"]
    );
    let inventory = loaded.unwrap().inventory;
    assert_eq!(inventory.name, "production");
    let orders = &inventory.postgres["orders"];
    assert_eq!(orders.password, Some(Secret::File("/run/secrets/mrctl-postgres".into())));
    assert_eq!((orders.tls.verify, orders.tls.ca.as_deref()), (Verify::Full, Some("pki/postgres-ca.pem")));
    assert_eq!((orders.members["eu-west"].port, orders.members["us-east"].port), (5432, 5433));
    assert_eq!((orders.writers, orders.manager), (Writers::Local, Manager::None));
    assert_eq!(orders.probe_table, "mrctl.probe");
    let DnsBackend::Powerdns(powerdns) = &inventory.dns_servers["pdns-eu"].backend;
    assert_eq!(powerdns.key, Secret::Env("PDNS_KEY".into()));
    let www = &inventory.dns_records["www"];
    assert_eq!((www.zone(), www.ttl.millis()), ("example.com.", 60_000));
    assert_eq!(www.normal["eu-west"].basis_points(), 10_000);
    assert!(matches!(inventory.signals["lag"].backend, SignalBackend::Sql(_)));
    assert_eq!(inventory.default_channel().unwrap().0, "ops");
    assert_eq!(inventory.region_title("eu-west"), "Ireland");
}

#[test]
fn an_inventory_survives_being_written_and_read_as_json() {
    let inventory = production().inventory;
    let text = serde_json::to_string(&inventory).unwrap();
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), inventory);
}

#[test]
fn includes_defaults_groups_and_paths_are_resolved() {
    let (loaded, problems) = check_inventory(&fixture("split/mrctl.yaml"));
    assert_eq!(lines(&problems), Vec::<String>::new());
    let loaded = loaded.unwrap();
    assert_eq!(loaded.files.len(), 3);
    let inventory = loaded.inventory;
    let (orders, billing) = (&inventory.postgres["orders"], &inventory.postgres["billing"]);
    assert_eq!((orders.user.as_str(), billing.user.as_str()), ("mrctl", "failover"));
    assert_eq!((orders.timeout.millis(), orders.writers), (3_000, Writers::Remote));
    assert_eq!(billing.members["north"].stop.as_ref().unwrap().timeout.millis(), 30_000);
    let DnsBackend::Powerdns(powerdns) = &inventory.dns_servers["ns1"].backend;
    assert_eq!(powerdns.key, Secret::File("dns/secrets/ns1".into()));
    assert_eq!(powerdns.tls.ca.as_deref(), Some("dns/ca.pem"));
    assert_eq!(check::resolve_group(&inventory, "postgres", "data").unwrap(), ["orders", "billing"]);
    assert_eq!(check::resolve_group(&inventory, "caches", "data"), None);
}

/// The design's inventory with one text replaced.
fn changed(from: &str, to: &str) -> Problems {
    let text = std::fs::read_to_string(fixture("production.yaml")).unwrap();
    assert!(text.contains(from), "the fixture has no `{from}`");
    check_inventory_text(&text.replacen(from, to, 1)).1
}

#[test]
fn every_rule_for_inventories_refuses_what_it_is_for() {
    for (from, to, expected) in [
        ("mrctl: 1", "mrctl: 2", "MR0401 version `2` of the format is not known to this mrctl"),
        ("mrctl: 1\n", "", "MR0102 the inventory does not say its version"),
        (
            "      us-east: { host: pg.us",
            "      us-eats: { host: pg.us",
            "MR0501 there is no region `us-eats`",
        ),
        ("at: eu-west", "at: eu-wset", "MR0501 there is no region `eu-wset`"),
        ("targets: { eu-west", "targets: { moon", "MR0501 there is no region `moon`"),
        ("us-east: 0%", "us-east: 10%", "MR0502 the shares of `www` make 110%, not 100%"),
        ("eu-west: 100%, us-east: 0%", "eu-west: 99.5%", "MR0502 the shares of `www` make 99.50%, not 100%"),
        ("servers: [pdns-eu]", "servers: [pdns-us]", "MR0503 there is no `pdns-us` in `dns_servers`"),
        ("server: metrics", "server: metric", "MR0503 there is no `metric` in `metrics_servers`"),
        ("cluster: orders", "cluster: order", "MR0503 there is no `order` in `postgres`"),
        (
            "name: www.example.com.",
            "name: www.example.com",
            "MR0505 `www.example.com` does not end with a dot",
        ),
        (
            "    type: A",
            "    zone: example.org.\n    type: A",
            "MR0505 `www.example.com.` is not in the zone `example.org.`",
        ),
        (
            "eu-west: 192.0.2.10, us-east: 198.51.100.10 }\n    normal",
            "eu-west: eu.example.com., us-east: 198.51.100.10 }\n    normal",
            "MR0506 `eu.example.com.` is not an IPv4 address",
        ),
        (
            "us-east: 198.51.100.10 }\n    normal",
            "us-east: 192.0.2.10 }\n    normal",
            "MR0506 `eu-west` and `us-east` have the same target",
        ),
        ("type: A", "type: CNAME", "MR0506 `192.0.2.10` is not a name with a dot at the end"),
        ("ttl: 60s", "ttl: 1500ms", "MR0507 the time to live has to be whole seconds"),
        ("ttl: 60s", "ttl: 60", "MR0109"),
        ("tls: { verify: full, ca", "tls: { verify: none, ca", "MR0508 `verify: none` turns protection off"),
        ("https://pdns", "http://pdns", "warning MR0508 the API key travels without encryption"),
        (
            "channels:",
            "groups: { all: [orders, www] }\nchannels:",
            "MR0509 the members of `all` are not all of one type",
        ),
        ("channels:", "groups: { all: [order] }\nchannels:", "MR0509 there is no resource `order`"),
        (
            "channels:",
            "groups: { orders: [orders] }\nchannels:",
            "MR0509 `orders` is also a resource in `postgres`",
        ),
        ("channels:", "include: [../x.yaml]\nchannels:", "MR0511 `../x.yaml` is not included"),
        (
            "host: pg.eu.example.com",
            "host: pg.eu.example.com:5432",
            "MR0514 `pg.eu.example.com:5432` has its port within the host",
        ),
        ("url: https://www", "url: ftp://www", "MR0514 `ftp://www"),
        (
            "members: { eu-west: 192.0.2.10",
            "members: { eu-west: www.example.com",
            "MR0514 `www.example.com` is not `address`",
        ),
        ("status: 200", "status: 999", "MR0514 999 is not an HTTP status"),
        ("pointer: /data", "pointer: data", "MR0514 `data/p95` is not a JSON pointer"),
        (
            "  us-east: { title: Virginia, facts: { metrics: us-east-1 } }\n",
            "",
            "MR0515 there is nowhere to fail over to: 1 region",
        ),
        (
            "      us-east: { host: pg.us.example.com, port: 5433 }\n",
            "",
            "warning MR0516 `orders` has fewer than two members",
        ),
        (
            "channels:",
            "channels:\n  web: { default: true, webhook: { url: { env: U } } }",
            "MR0518 `ops` and `web` are both",
        ),
        ("channels:", "commands: { drain: { command: [] } }\nchannels:", "MR0519 the command has no program"),
        (
            "    user: mrctl",
            "    probe_table: \"a; drop table b\"\n    user: mrctl",
            "MR0111 `a; drop table b` is not a table",
        ),
        (
            "    user: mrctl",
            "    heartbeat: { table: heartbeat }\n    user: mrctl",
            "MR0111 `heartbeat` is not a table with its schema",
        ),
        (
            "    user: mrctl",
            "    heartbeat: { every: 50ms }\n    user: mrctl",
            "MR0104 a heartbeat every 50ms would be a load",
        ),
        (
            "  eu-west: { title: Ireland",
            "  from: {}\n  eu-west: { title: Ireland",
            "MR0111 `from` cannot be the name of a region",
        ),
        ("facts: { metrics: eu", "facts: { Metrics: eu", "MR0111 `Metrics` cannot be the name of a fact"),
        ("  error_rate:", "  error-rate:", "MR0111 `error-rate` cannot be the name of a signal"),
        ("    writers: local", "    writer: local", "MR0101"),
        ("writers: local", "writers: locale", "MR0105"),
        ("powerdns: {", "route53: {", "MR0101"),
        (
            "at: eu-west, powerdns: { url: https://pdns.eu.example.com, key: { env: PDNS_KEY } }",
            "at: eu-west",
            "MR0104 no backend is given; exactly one is needed of: `powerdns`",
        ),
        (
            "    sql: {",
            "    http: { url: https://a.example.com, pointer: /a }\n    sql: {",
            "MR0104 exactly one backend is possible, but there are `http` and `sql`",
        ),
        (
            "key: { env: PDNS_KEY }",
            "key: { env: A, file: b }",
            "MR0104 exactly one of `env`, `file`, `command` is possible",
        ),
        ("key: { env: PDNS_KEY }", "key: { command: [] }", "MR0104 `command` needs a program"),
        ("name: production", "", "MR0102 the inventory has no `name`"),
        (
            "name: production",
            "name: Production!",
            "MR0111 `Production!` cannot be the name of an environment",
        ),
        ("dns_records:", "dns_recods:", "MR0101 `dns_recods` is not a key of an inventory"),
        ("channels:", "defaults: { region: {} }\nchannels:", "MR0101 `region` is not a key of `defaults`"),
    ] {
        assert_has(&changed(from, to), expected);
    }
}

#[test]
fn one_mistake_hides_no_other() {
    let problems = changed("user: mrctl", "users: mrctl");
    assert_has(&problems, "MR0101");
    let text = std::fs::read_to_string(fixture("production.yaml")).unwrap();
    let text =
        text.replace("ttl: 60s", "ttl: 60").replace("port: 5433", "port: 99999").replace("200", "none");
    let problems = check_inventory_text(&text).1;
    assert!(problems.errors() >= 3, "{:#?}", lines(&problems));
}

#[test]
fn a_plain_secret_is_refused_and_never_repeated() {
    for (from, to) in [
        ("password: { file: /run/secrets/mrctl-postgres }", "password: hunter2-secret"),
        ("key: { env: PDNS_KEY }", "key: hunter2-secret, ttl: 5"),
        ("webhook: { env: SLACK_OPS }", "webhook: \"https://hooks.example.com/hunter2-secret\""),
        ("redis: { password: { env: REDIS_PASSWORD }", "redis: { password: hunter2-secret"),
    ] {
        let problems = changed(from, to);
        let plain = problems.iter().find(|p| p.code == Code::PlainSecret).expect(to);
        assert!(plain.message.contains("line "), "{}", plain.message);
        // A snippet would show the line, so there is no place to make one from.
        assert_eq!(plain.span, None);
        for problem in &problems {
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
    }
}

#[test]
fn what_could_not_be_read_is_not_called_missing() {
    for (from, to) in [
        ("at: eu-west, powerdns", "at: eu-west, retries: 3, powerdns"),
        ("eu-west: { title: Ireland", "eu-west: { titel: Ireland"),
        ("    user: mrctl", "    users: mrctl"),
    ] {
        let problems = changed(from, to);
        assert!(problems.has_errors());
        let wrong: Vec<_> = lines(&problems).into_iter().filter(|line| line.starts_with("MR050")).collect();
        assert!(wrong.is_empty(), "{to}: {wrong:#?}");
    }
}

#[test]
fn every_secret_of_the_schema_is_looked_for() {
    use crate::runbook::inventory::read::SECRETS;
    let schema = crate::runbook::schema::inventory().to_string();
    let places = schema.matches("#/$defs/Secret").count();
    assert_eq!(places, SECRETS.len(), "a secret was added to the model but not to the list of places");
}

#[test]
fn only_what_lives_in_the_region_being_left_is_warned_of() {
    let loaded = production();
    for (leaving, expected) in [(Some("eu-west"), 1), (Some("us-east"), 0), (None, 1)] {
        let mut problems = Problems::new();
        check::inventory(&InventoryContext { loaded: &loaded, leaving }, &mut problems);
        assert_eq!(problems.len(), expected, "{leaving:?}");
    }
}

#[test]
fn a_rejoin_without_a_look_at_its_control_file_is_warned_of() {
    let member = "eu-west: { host: pg.eu.example.com }";
    let with = |more: &str| {
        changed(
            member,
            &format!("eu-west: {{ host: pg.eu.example.com, rejoin: {{ command: [rejoin, eu] }}{more} }}"),
        )
    };
    let told = lines(&with(""));
    let said = "warning MR0102 the member of `orders` in `eu-west` has `rejoin`, and no `control_data`";
    assert!(told.iter().any(|line| line == said), "{told:?}");
    let told = lines(&with(", control_data: { command: [print, eu] }"));
    assert!(!told.iter().any(|line| line.contains("control_data")), "{told:?}");
}
