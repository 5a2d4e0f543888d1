//! Writes whose answer is lost, L7 to L9.

use super::cases::{look, moved, swap, tell, tenth};
use super::stage::{Stage, real, set, simulated};
use crate::conformance::table::Said;
use crate::conformance::wire::Lose;
use crate::support::pg::until;

cases! { PowerDns;
    l7 "A write of records whose answer is lost is done."
    l8 "A write of records whose request is lost is not done, and may be made again."
    l9 "A write of records that is late replaces whatever stands there by then: the server compares nothing."
}

async fn l7(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    stage.lose(Lose::Answer);
    said.line("moved", swap(stage, "www", &start.sets, &moved()).await);
    until("it stands there", || async { (look(stage, "www").await.sets != start.sets).then_some(()) }).await;
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn l8(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    stage.lose(Lose::Request);
    said.line("moved", swap(stage, "www", &start.sets, &moved()).await);
    let now = look(stage, "www").await;
    said.line("all is as before", (&now.sets, &now.serial) == (&start.sets, &start.serial));
    said.line("once more", swap(stage, "www", &start.sets, &moved()).await);
    tell(&mut said, "there", &look(stage, "www").await);
    said
}

async fn l9(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let start = look(stage, "www").await;
    stage.lose(Lose::UntilLater);
    said.line("a tenth", swap(stage, "www", &start.sets, &tenth()).await);
    said.line("all is as before", look(stage, "www").await.sets == start.sets);
    stage.overwrite("www", &[set("A", 30, &["203.0.113.7"])]).await;
    let theirs = look(stage, "www").await;
    tell(&mut said, "somebody else writes", &theirs);
    stage.arrive();
    until("it arrives", || async { (look(stage, "www").await.sets != theirs.sets).then_some(()) }).await;
    tell(&mut said, "later", &look(stage, "www").await);
    said
}
