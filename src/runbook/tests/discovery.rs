use super::*;
use crate::error::Code;
use crate::runbook::discovery::{Search, find};
use std::fs;

fn search<'a>(working: &'a Path, runbook: Option<&'a Path>) -> Search<'a> {
    Search { flag: None, variable: None, runbook, working }
}

#[test]
fn the_inventory_is_found_upward_from_the_runbook_then_from_the_working_directory() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().canonicalize().unwrap();
    fs::create_dir_all(root.join("a/b/c")).unwrap();
    fs::create_dir_all(root.join("w/x")).unwrap();
    fs::write(root.join("a/mrctl.yaml"), "").unwrap();
    fs::write(root.join("w/mrctl.yaml"), "").unwrap();
    let runbook = root.join("a/b/c/run.yaml");
    let working = root.join("w/x");
    assert_eq!(find(&search(&working, Some(&runbook))).unwrap(), root.join("a/mrctl.yaml"));
    assert_eq!(find(&search(&working, None)).unwrap(), root.join("w/mrctl.yaml"));
    assert_eq!(
        find(&search(&root.join("a"), Some(Path::new("b/run.yaml")))).unwrap(),
        Path::new("mrctl.yaml")
    );
    let named = Search { variable: Some(Path::new("v.yaml")), ..search(&working, Some(&runbook)) };
    assert_eq!(find(&named).unwrap(), Path::new("v.yaml"));
    let named = Search { flag: Some(Path::new("f.yaml")), ..named };
    assert_eq!(find(&named).unwrap(), Path::new("f.yaml"));
}

#[test]
fn a_missing_inventory_is_said_with_the_places() {
    let folder = tempfile::tempdir().unwrap();
    let problem = find(&search(folder.path(), None));
    // A machine that has one above its temporary folder finds that one.
    if let Err(problem) = problem {
        assert_eq!(problem.code, Code::InventoryNotFound);
        assert!(problem.message.contains(&*folder.path().to_string_lossy()));
    }
}

/// An inventory in a folder of its own, with other files.
fn with_files(include: &str, files: &[(&str, &str)]) -> Problems {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("inventory");
    fs::create_dir_all(root.join("sub")).unwrap();
    fs::write(folder.path().join("outside.yaml"), "mrctl: 1\n").unwrap();
    #[cfg(unix)]
    std::os::unix::fs::symlink(folder.path().join("outside.yaml"), root.join("link.yaml")).unwrap();
    let text = format!("mrctl: 1\nname: test\nregions: {{ a: {{}}, b: {{}} }}\ninclude: {include}\n");
    fs::write(root.join("mrctl.yaml"), text).unwrap();
    for (name, text) in files {
        fs::write(root.join(name), text).unwrap();
    }
    check_inventory(&root.join("mrctl.yaml")).1
}

#[test]
fn includes_stay_inside_their_folder_and_end() {
    for (include, expected) in [
        ("[../outside.yaml]", "MR0511 `../outside.yaml` is not included: the path has to be relative"),
        ("[/etc/passwd]", "MR0511 `/etc/passwd` is not included: the path has to be relative"),
        (
            "[\"https://example.com/a.yaml\"]",
            "MR0511 `https://example.com/a.yaml` is not included: it is a URL",
        ),
        ("[\"${from}.yaml\"]", "MR0511 `${from}.yaml` is not included: a path to include is literal"),
        ("[link.yaml]", "MR0511 `link.yaml` is not included: a symbolic link leads out of the folder"),
        ("[missing.yaml]", "MR0001"),
        ("[sub]", "MR0002"),
        ("[mrctl.yaml]", "MR0512 `mrctl.yaml` includes itself"),
        ("[\"\"]", "MR0511 `` is not included"),
        ("one.yaml", "MR0103 `include` has to be a list of paths"),
        ("[[one.yaml]]", "MR0103 a path to include has to be a text"),
    ] {
        assert_has(&with_files(include, &[]), expected);
    }
}

#[test]
fn a_cycle_through_other_files_is_an_error() {
    let files = [("a.yaml", "mrctl: 1\ninclude: [b.yaml]\n"), ("b.yaml", "mrctl: 1\ninclude: [a.yaml]\n")];
    assert_has(&with_files("[a.yaml]", &files), "MR0512 `a.yaml` includes itself");
}

#[test]
fn a_file_is_included_once() {
    let files = [("a.yaml", "mrctl: 1\n")];
    assert_has(
        &with_files("[a.yaml, a.yaml]", &files),
        "MR0511 `a.yaml` is not included: it is included already",
    );
}

#[test]
fn a_resource_is_defined_once() {
    let files = [("a.yaml", "mrctl: 1\nregions: { b: {}, c: {} }\n")];
    assert_has(&with_files("[a.yaml]", &files), "MR0510 `regions.b` is defined twice");
}

#[test]
fn the_head_stays_in_the_inventory_itself() {
    let files = [("a.yaml", "mrctl: 1\nname: other\n")];
    assert_has(&with_files("[a.yaml]", &files), "MR0511 `name` stands in an included file");
    assert_has(&with_files("[a.yaml]", &[("a.yaml", "mrctl: 9\n")]), "MR0401 version `9`");
}

#[test]
fn an_include_that_cannot_be_read_is_shown_where_it_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mrctl.yaml");
    std::fs::create_dir(folder.path().join("folder")).unwrap();
    std::fs::write(folder.path().join("large.yaml"), "x".repeat((1 << 20) + 1)).unwrap();
    for (name, code) in [("missing.yaml", "MR0001"), ("folder", "MR0002"), ("large.yaml", "MR0004")] {
        std::fs::write(
            &path,
            format!("mrctl: 1\nname: t\nregions: {{ a: {{}}, b: {{}} }}\ninclude: [{name}]\n"),
        )
        .unwrap();
        let problems = check_inventory(&path).1;
        let problem = problems.iter().find(|problem| problem.code.as_str() == code).unwrap();
        let span = problem.span.unwrap();
        assert_eq!(span.end - span.start, u32::try_from(name.len()).unwrap(), "{code}");
    }
}
