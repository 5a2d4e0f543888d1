//! Another manager that is in charge of the servers, P24.

use super::real::real;
use super::stage::{Stage, simulated};
use super::tell::{close, handed_over, judged, port, promote, reason, seen};
use crate::conformance::table::Said;
use crate::support::kinds::{self, judge};
use crate::support::world::{source, target};

cases! { PostgreSql;
    p24 "Where another manager is in charge, nothing is frozen, and a promotion is refused in its own statement."
}

async fn p24<S: Stage>(stage: &S) -> Said {
    let mut said = Said::default();
    stage.manager_comes().await;
    for at in [source(), target()] {
        let facts = seen(stage, &at, "it is seen", |facts| !facts.managers.is_empty()).await;
        said.line(&format!("in charge of {at}"), facts.managers.join(", "));
    }
    said.line("a freeze", judged(&judge(stage.world(), &kinds::freeze(), "read_only", None).await.1));
    // It leaves the source, and somebody else freezes there.
    stage.manager_leaves_the_source().await;
    close(stage, &mut said).await;
    let handover = handed_over(stage).await;
    let (_, promotion) = judge(stage.world(), &kinds::promote(), "promote", Some(&handover)).await;
    said.line("a promotion", judged(&promotion));
    said.line("the statement of a promotion", reason(&promote(stage, &handover).await));
    said.line("in recovery", crate::support::port::facts(port(stage), &target()).await.in_recovery());
    said
}
