//! Mistakes that a tired operator makes in a shipped runbook: each is reported once, where it is, with what mends it.

/// See [`MISTAKES`].
type Mistake = (&'static str, &'static str, &'static [(&'static str, &'static str)]);

/// What was written, what is written instead, and all that is reported: code and message, then the help.
const MISTAKES: &[Mistake] = &[
    (
        "postgres.promote: orders",
        "postgres.promot: orders",
        &[("MR0404]: there is no kind of step `postgres.promot`", "did you mean `postgres.promote`?")],
    ),
    (
        "postgres.promote: orders",
        "mysql.promote: orders",
        &[("MR0404]: there is no kind of step `mysql.promote`", "there is `postgres.promote`")],
    ),
    (
        "postgres.promote: orders",
        "postgres.promote:orders",
        &[("MR0008]: a line without `: ` is where a key is expected", "put a blank after the `:`")],
    ),
    (
        "        postgres.freeze: orders",
        "         postgres.freeze: orders",
        &[(
            "MR0008]: this line continues the text above it",
            "indent it like the key above; a text that contains `: ` needs quotes",
        )],
    ),
    (
        "        postgres.catch_up: orders",
        "       postgres.catch_up: orders",
        &[(
            "MR0008]: this does not line up with the items above",
            "indent it like the keys of its item, or begin an item with `- ` at the same column",
        )],
    ),
    (
        "      - id: promote",
        "     - id: promote",
        &[("MR0008]: this item lines up with no list above", "indent it like the other items of its list")],
    ),
    (
        "      - id: promote",
        "        id: promote",
        &[
            ("MR0403]: the step does several things", "make each of them a step of its own"),
            (
                "MR0014]: `id` is given twice",
                "keep one of the two; if another item begins here, put `- ` before it",
            ),
        ],
    ),
    (
        "timeout: 15s",
        "timeout: 15",
        &[("MR0109]: `15` needs a unit to be a time", "write it with a unit, such as")],
    ),
    (
        "timeout: 15s",
        "timeout: 15 seconds",
        &[("MR0110]: `15 seconds` is not a time: it contains a blank", "write it with a unit, such as")],
    ),
    (
        "        timeout: 15s",
        "\ttimeout: 15s",
        &[("MR0009]: a tab is where only blanks may be", "indent with spaces")],
    ),
    (
        "postgres.freeze: orders",
        "postgres.freeze: order",
        &[("MR0503]: there is no PostgreSQL cluster `order` in the inventory", "did you mean `orders`?")],
    ),
    (
        "cluster: orders",
        "cluster: oders",
        &[("MR0503]: there is no PostgreSQL cluster `oders` in the inventory", "did you mean `orders`?")],
    ),
    (
        "dns.shift: www",
        "dns.shift: ww",
        &[("MR0503]: there is no DNS record `ww` in the inventory", "did you mean `www`?")],
    ),
    (
        "http.check: shop",
        "http.check: orders",
        &[("MR0503]: there is no endpoint `orders` in the inventory", "there is `shop`")],
    ),
    (
        "        dns.shift: www",
        "        dns.shift: www\n        in: us-eats",
        &[("MR0501]: there is no region `us-eats`", "did you mean `us-east`?")],
    ),
    ("id: writable", "id: promote", &[("MR0405]: there are two of `promote`", "give each its own id")]),
    (
        "      - id: freeze\n        postgres.freeze: orders\n      - id: catch_up\n        postgres.catch_up: orders\n        timeout: 15s\n      - id: promote\n        postgres.promote: orders\n",
        "      - id: promote\n        postgres.promote: orders\n      - id: freeze\n        postgres.freeze: orders\n      - id: catch_up\n        postgres.catch_up: orders\n",
        &[(
            "MR0412]: `promote` promotes `orders` before its writes are frozen",
            "put `postgres.freeze: orders` and `postgres.catch_up: orders` before it",
        )],
    ),
    (
        "confirm: commander",
        "confirm: comander",
        &[("MR0407]: there is no role `comander`", "did you mean `commander`?")],
    ),
    (
        "rate: 5000",
        "speed: 5000",
        &[("MR0101]: unknown key `speed`", "known keys: `cache`, `rate`, `ramp`, `skip`")],
    ),
    ("max: 16MiB }", "max: 16MiB", &[("MR0008]: a `,` or closing bracket is missing", "close the `{`")]),
    (
        "- The incident channel is open",
        "- \"The incident channel is open",
        &[("MR0008]: a quote is not closed", "add the closing quote")],
    ),
    (
        "notify: Orders",
        "notify: \"Done: Orders",
        &[("MR0008]: a quote is not closed", "add the closing quote")],
    ),
    (
        "dns.shift: www",
        "dns.shift: &record www",
        &[(
            "MR0010]: the anchor `&record`: text is written where it is meant",
            "remove `&record`; a text that begins with",
        )],
    ),
    (
        "dns.shift: www",
        "dns.shift: www\n        require: error_rate(to) < 2%",
        &[("MR0303]: there is no signal `error_rate`", "declare it under `signals` in the inventory")],
    ),
    (
        "dns.shift: www",
        "dns.shift: { server: pdns-eu }",
        &[
            ("MR0101]: unknown key `server`", "known keys: "),
            ("MR0102]: `record` is missing", "add `record: …`"),
        ],
    ),
];

/// The same in the shipped inventory.
const INVENTORY: &[Mistake] = &[
    (
        "    writers: local",
        "    writer: local",
        &[("MR0101]: unknown key `writer`", "did you mean `writers`?")],
    ),
    (
        "postgres:\n",
        "postgresql:\n",
        &[("MR0101]: `postgresql` is not a key of an inventory", "did you mean `postgres`?")],
    ),
    (
        "    database: orders",
        "   database: orders",
        &[("MR0008]: this line continues the text above it", "indent it like the key above")],
    ),
    (
        "      us-east:\n        host: pg",
        "     us-east:\n        host: pg",
        &[(
            "MR0008]: this does not line up with the keys above",
            "indent it like the other keys of the same map",
        )],
    ),
    (
        "    ttl: 60s",
        "    ttl: 60",
        &[("MR0109]: `60` needs a unit to be a time", "write it with a unit, such as")],
    ),
    (
        "us-east: { host: redis",
        "us-est: { host: redis",
        &[("MR0501]: there is no region `us-est`", "did you mean `us-east`?")],
    ),
    (
        "    writers: local",
        "\twriters: local",
        &[("MR0009]: a tab is where only blanks may be", "indent with spaces")],
    ),
    (
        "    redis: {}\n    members:",
        "    redis: {}\n    members: &caches",
        &[(
            "MR0010]: the anchor `&caches`: text is written where it is meant",
            "remove `&caches`; a text that begins with",
        )],
    ),
    (
        "eu-west: 100%, us-east: 0%",
        "eu-west: 100%, us-east: 0",
        &[("MR0109]: `0` needs a unit to be a share", "write it in percent from `0%` to `100%`")],
    ),
    (
        "host: redis.us.example.com",
        "host: \"redis.us.example.com:6380\"",
        &[(
            "MR0514]: `redis.us.example.com:6380` has its port within the host: it stands beside it, `host: redis.us.example.com, port: 6380`",
            "write a plain host, address or URL",
        )],
    ),
    (
        "regions:\n  eu-west: { title: Ireland }\n  us-east: { title: Virginia }\n",
        "regions: [eu-west, us-east]\n",
        &[(
            "MR0103]: `regions` has to be a map, but this is a list",
            "`mrctl kinds` and `mrctl schema` tell what is expected",
        )],
    ),
    (
        "    name: www.example.com.",
        "    name: www.example.com",
        &[("MR0505]: `www.example.com` does not end with a dot", "write `www.example.com.`")],
    ),
];

#[test]
fn each_is_reported_once_where_it_is_with_what_mends_it() {
    let runbook =
        std::fs::read_to_string(super::root().join("runbooks/postgres-planned-failover.yaml")).unwrap();
    told_once(MISTAKES, &runbook, |text| super::check(text, &super::shipped()));
}

#[test]
fn those_of_an_inventory_too_and_it_is_not_said_to_be_missing() {
    let inventory = std::fs::read_to_string(super::shipped()).unwrap();
    let runbook = "mrctl: 1\nname: test\nsteps: [{ id: look, postgres.preflight: orders }]\n";
    told_once(INVENTORY, &inventory, |text| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mrctl.yaml");
        std::fs::write(&path, text).unwrap();
        let output = super::check(runbook, &path);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("1 runbook and an inventory that cannot be read: 1 error, "), "{said}");
        output
    });
}

/// Makes each mistake in the text, and compares all that is said with what is expected.
fn told_once(mistakes: &[Mistake], whole: &str, check: impl Fn(&str) -> std::process::Output) {
    let mut wrong = Vec::new();
    for (from, to, expected) in mistakes {
        assert!(whole.contains(from), "{from}");
        let output = check(&whole.replacen(from, to, 1));
        let said = String::from_utf8(output.stderr).unwrap();
        let titles =
            said.lines().filter(|line| line.starts_with("error") || line.starts_with("warning")).count();
        let all = expected.iter().all(|(title, help)| {
            said.contains(&format!("error[{title}")) && said.contains(&format!("= help: {help}"))
        });
        if !all || titles != expected.len() {
            wrong.push(format!("{to}\n{said}"));
        }
    }
    assert!(wrong.is_empty(), "{} of them:\n{}", wrong.len(), wrong.join("\n\n"));
}
