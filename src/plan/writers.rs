//! After a promotion, users may only be sent to a region from which the data set can be written.

use super::directory::InventoryDirectory;
use super::model::Step;
use crate::error::{Code, Problem, Problems};
use crate::runbook::Runbook;
use crate::step::Class;
use crate::step::scope::Directory as _;

/// Refuses steps that send users to a region whose application cannot reach the new primary.
pub(super) fn reachable(
    steps: &[Step],
    to: &str,
    directory: &InventoryDirectory<'_>,
    runbook: &Runbook,
    problems: &mut Problems,
) {
    let runs = || steps.iter().filter(|step| step.skipped.is_none());
    let span = |step: &Step| {
        let items = runbook.sections.iter().flat_map(|section| &section.items).flat_map(|item| item.steps());
        items.filter(|one| one.id.value == step.id).map(|one| one.kind.span).next()
    };
    for (at, pivot) in runs().enumerate() {
        let promoted = pivot.effects.iter().filter(|planned| planned.effect.class == Class::Pivot);
        for name in promoted.filter_map(|planned| planned.effect.needs.as_ref()) {
            let Some(cluster) = directory.cluster(name).filter(|cluster| !cluster.remote_writers) else {
                continue;
            };
            for step in runs().skip(at + 1) {
                let sent = step.effects.iter().flat_map(|planned| planned.action.sends());
                let away = |region: &String| region != to && cluster.regions.contains(region);
                let Some(region) = sent.into_iter().find(away) else { continue };
                let mut problem = Problem::error(
                    Code::TrafficBeforeWriter,
                    format!(
                        "`{}` sends users to {region}, where {name} cannot be written: `{}` moves its primary to {to}",
                        step.id, pivot.id
                    ),
                )
                .help("send them where the primary is, or say `writers: remote` if applications write across regions");
                problem.span = span(step);
                problems.push(problem);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::testing::planned;
    use std::path::Path;

    /// Problems of the plan for a runbook that promotes, and then does this.
    fn problems(writers: &str, then: &str) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/production.yaml");
        let inventory = std::fs::read_to_string(fixture).unwrap();
        let inventory = inventory.replace("writers: local", &format!("writers: {writers}"));
        std::fs::write(folder.path().join("mrctl.yaml"), inventory).unwrap();
        let runbook = format!(
            "mrctl: 1\nname: a\ntitle: A\nsteps:\n  - {{ id: freeze, postgres.freeze: orders }}\n  - {{ id: catch_up, \
             postgres.catch_up: orders }}\n  - {{ id: promote, postgres.promote: orders }}\n  - {{ id: then, {then} }}\n"
        );
        let path = folder.path().join("runbook.yaml");
        std::fs::write(&path, runbook).unwrap();
        let (_, problems, _) = planned(&path, &folder.path().join("mrctl.yaml"));
        problems.iter().filter(|p| p.message.contains("sends users")).map(|p| p.message.clone()).collect()
    }

    #[test]
    fn after_the_promotion_users_go_only_where_they_can_write() {
        let refused = "`then` sends users to eu-west, where orders cannot be written: `promote` moves its primary to us-east";
        for back in ["dns.shift: www, in: from", "dns.restore: www"] {
            assert_eq!(problems("local", back), [refused], "{back}");
            assert_eq!(problems("remote", back), Vec::<String>::new(), "{back}");
        }
        assert_eq!(problems("local", "dns.shift: www"), Vec::<String>::new());
    }
}
