//! Keys whose answer is lost, L10 to L12, and a copy that breaks off in the middle, L16.

use super::cases::{copy, fill, reply, slice};
use super::stage::{Stage, real, simulated, target};
use crate::conformance::table::Said;
use crate::conformance::wire::Lose;
use crate::support::pg::until;

cases! { Redis;
    l10 "Keys whose answer is lost are there, and copying again counts them as there already."
    l11 "Keys whose request is lost are not there, and copying again brings them."
    l12 "Keys that are late do not replace what came in between."
    l16 "Of keys whose copy breaks off a part is there, and copying again brings the others."
}

async fn l10(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    stage.lose(Lose::Answer);
    said.line("a copy", reply(&slice(stage, 50, "").await));
    until("the key", || async { (stage.life(&target(), "session:00").await == "for ever").then_some(()) })
        .await;
    said.line("again", reply(&copy(stage, "").await));
    said
}

async fn l11(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    fill(stage, 1).await;
    stage.lose(Lose::Request);
    said.line("a copy", reply(&slice(stage, 50, "").await));
    said.line("the key", stage.life(&target(), "session:00").await);
    said.line("again", reply(&copy(stage, "").await));
    said.line("the key", stage.life(&target(), "session:00").await);
    said
}

async fn l12(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    stage.set(&super::stage::source(), "session:00", None).await;
    stage.set(&super::stage::source(), "session:01", None).await;
    stage.lose(Lose::UntilLater);
    // Fast enough for both to be on their way together.
    said.line("a copy", reply(&slice(stage, 100_000, "").await));
    stage.set(&target(), "session:00", Some(500_000)).await;
    stage.arrive();
    until("the other key", || async {
        // What is late comes about with the next look.
        let _ = stage.cache().look(&target()).await;
        (stage.life(&target(), "session:01").await == "for ever").then_some(())
    })
    .await;
    said.line("the key that came in between", stage.life(&target(), "session:00").await);
    said
}

async fn l16(stage: &impl Stage) -> Said {
    let mut said = Said::default();
    let keys = ["session:00", "session:01"];
    for key in keys {
        stage.set(&super::stage::source(), key, None).await;
    }
    let there = async || {
        let mut there = 0;
        for key in keys {
            there += usize::from(stage.life(&target(), key).await == "for ever");
        }
        there
    };
    stage.lose(Lose::Half);
    // Fast enough for both to be on their way together.
    said.line("a copy", reply(&slice(stage, 100_000, "").await));
    until("the first that arrives", || async { (there().await > 0).then_some(()) }).await;
    said.line("keys there", there().await);
    said.line("again", reply(&copy(stage, "").await));
    said.line("keys there", there().await);
    said
}
