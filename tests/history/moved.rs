//! Runs that are taken to another host, and come back.

use super::*;

#[test]
fn an_import_takes_runs_and_nothing_else() {
    let host = Host::with("completed", 99);
    let export = host.path("run.json");
    let shown = export.display().to_string();
    assert_eq!(host.mrctl(&["export", RUN, "--to", &shown]).code, 0);
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&export).unwrap().permissions().mode() & 0o777, 0o600);
    let over = host.mrctl(&["export", RUN, "--to", &shown]);
    assert_eq!(over.code, 2, "written over: {over:?}");
    let good: Value = serde_json::from_slice(&std::fs::read(&export).unwrap()).unwrap();
    let with = |field: &str, value: Value| {
        let mut document = good.clone();
        document[field] = value;
        document.to_string()
    };
    let cut = good["journal"].as_str().unwrap().split_inclusive('\n').skip(1).collect::<String>();
    let bad = [
        with("run", "../../../tmp/evil".into()),
        with("run", "01900000-0000-7000-8000-00000000dead".into()),
        with("mrctl_export", 2.into()),
        with("journal", "{}\n".into()),
        with("journal", cut.into()),
        with("plan", "{}".into()),
        with("abandoned", serde_json::json!({ "../../evil.json": "x" })),
        "[]".into(),
        String::new(),
    ];
    let other = Host::new();
    let file = other.path("bad.json");
    for document in &bad {
        std::fs::write(&file, document).unwrap();
        let ended = other.mrctl(&["import", &file.display().to_string()]);
        assert_eq!(ended.code, 2, "{ended:?}");
        assert!(ended.err.contains("not imported"), "{ended:?}");
        let left = std::fs::read_dir(other.path("state/runs")).unwrap().count();
        assert_eq!(left, 0, "something was left by {}", &document[..document.len().min(60)]);
    }
    // A pipe that nobody writes to would be waited for without end.
    let pipe = other.path("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(other.mrctl(&["import", &pipe]).code, 2);
    for expected in ["is here\n", "is here already, the same"] {
        let ended = other.mrctl(&["import", &shown]);
        assert!(ended.code == 0 && ended.err.contains(expected), "{ended:?}");
    }
    assert_eq!(std::fs::metadata(other.journal()).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(other.run()).unwrap().permissions().mode() & 0o777, 0o700);
    // The folder of a run in a mirror is as good.
    let third = Host::new();
    let ended = third.mrctl(&["import", &host.run().display().to_string()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(third.text(), host.text());
}

#[test]
fn an_open_run_that_was_exported_goes_on_in_one_place() {
    let (here, there) = (Host::with("completed", 20), Host::new());
    let whole = Host::with("completed", 99);
    let export = here.path("run.json").display().to_string();
    let exported = here.mrctl(&["export", RUN, "--to", &export]);
    assert!(exported.code == 0 && exported.err.contains("only one host may go on"), "{exported:?}");
    let refused = here.mrctl(&["resume", RUN]);
    assert!(refused.code == 5 && refused.err.contains("was exported at"), "{refused:?}");
    assert_eq!(there.mrctl(&["import", &export]).code, 0);
    // It went on there, and comes back to where a line was torn.
    std::fs::write(there.journal(), whole.text()).unwrap();
    std::fs::write(here.journal(), format!("{}{{\"at\":1", here.text())).unwrap();
    let back = there.path("back.json").display().to_string();
    assert_eq!(there.mrctl(&["export", RUN, "--to", &back]).code, 0);
    let behind = there.mrctl(&["import", &export]);
    assert!(behind.code == 0 && behind.err.contains("has more than this"), "{behind:?}");
    assert_eq!(there.text(), whole.text());
    let returned = here.mrctl(&["import", &back]);
    assert!(returned.code == 0 && returned.err.contains("has what it lacked"), "{returned:?}");
    assert_eq!(here.text(), whole.text());
    // Both went on: neither is overwritten, and the line is named.
    let both = Host::with("completed", 20);
    assert_eq!(both.mrctl(&["abandon", "--reason", "went on here"]).code, 1);
    let own = both.text();
    let differs = both.mrctl(&["import", &back]);
    assert!(differs.code == 2 && differs.err.contains("differs from line 21 on"), "{differs:?}");
    assert_eq!(both.text(), own);
}

#[test]
fn what_did_not_complete_is_no_move_to_go_back_from() {
    for (story, records, said) in
        [("completed", 20, "it is interrupted"), ("rolled_back", 999, "it ended as rolled back")]
    {
        let host = Host::with(story, records);
        let before = host.text();
        let refused = host.mrctl(&["failback", RUN, "--reason", "it is over", "--yes"]);
        assert_eq!(refused.code, 5, "{refused:?}");
        assert!(refused.err.contains("MR0614") && refused.err.contains(said), "{refused:?}");
        assert_eq!(host.text(), before);
    }
}
