//! "If the source died now": an unplanned run, rehearsed from what is true now.

use super::{lifelike, now};
use crate::plan::Mode;
use crate::rehearse::source::Source;
use crate::rehearse::start::StartFrom;
use crate::rehearse::tests::unplanned::plan as unplanned;
use crate::rehearse::tests::{inventory, told};

#[test]
fn if_the_source_died_now_the_run_would_complete_and_would_not_where_the_target_cannot_be_promoted() {
    let (plan, inventory) = (unplanned(["eu-west", "us-east"]), inventory());
    for source in Source::of(Mode::Unplanned) {
        let sim = lifelike(&plan, &inventory);
        let report = now(&sim, &plan, &inventory, *source, 1);
        assert!(report.clean(), "{source:?}: {}", told(&report));
        assert_eq!(report.complete_for, Some(1), "{source:?}");
        assert_eq!(report.start.source.as_deref(), source.in_words());
        assert_eq!(report.start.from, StartFrom::Live);
    }
    let sim = lifelike(&plan, &inventory);
    sim.postgres.with("orders", "us-east", |server| server.recovery_targets = vec!["immediate".into()]);
    let report = now(&sim, &plan, &inventory, Source::Dead, 0);
    assert!(
        report.fails_alone.as_ref().is_some_and(|why| why.contains("a promotion would end the server")),
        "{:?}",
        report.fails_alone
    );
}
