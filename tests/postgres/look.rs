//! One look: what it sees, what it must not take for known, and whom it does not wait for.

use crate::support::pg::{CANARY, PATIENCE, Pair, signal, until};
use crate::support::port::{facts, handover, refused, said, scope};
use crate::support::world::{RUN, Reach, permit, postgres, reach, source, target};
use mrctl::world::Known;
use mrctl::world::postgres::{Altered, Postgres as _};

#[tokio::test]
async fn a_look_tells_a_primary_from_a_standby() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    let primary = facts(&port, &source()).await;
    let standby = facts(&port, &target()).await;
    assert_eq!(primary.system, standby.system);
    assert!(!primary.in_recovery() && standby.in_recovery());
    let seen = primary.primary().unwrap();
    assert_eq!(seen.timeline, 1);
    assert!(seen.senders.is(|senders| senders.len() == 1 && senders[0].name == "us_east"), "{seen:?}");
    assert_eq!(primary.read_only.altered, Known::Known(Altered::Unset));
    let follows = standby.standby().unwrap();
    assert!(
        follows.receiver.is(|receiver| receiver.status == "streaming" && receiver.timeline == 1),
        "{follows:?}"
    );
    assert_eq!((follows.replay.as_str(), follows.apply_delay_ms), ("not paused", 0));
}

#[tokio::test]
async fn without_rights_facts_are_unknown_and_changes_are_refused() {
    let pair = Pair::start().await;
    let weak = reach(&pair, Reach { user: "weak", password: "", ..Reach::default() });
    let seen = facts(&weak, &source()).await;
    assert!(seen.sessions.get().is_none() && seen.primary().unwrap().senders.get().is_none(), "{seen:?}");
    assert!(facts(&weak, &target()).await.standby().unwrap().receiver.get().is_none());
    let reply = weak.freeze(&permit("read_only", 1), &source(), &seen.system, None).await;
    assert!(refused(&reply) && said(&reply).contains("42501"), "{reply:?}");
    let reply = weak.promote(&permit("promote", 1), &target(), &handover(&postgres(&pair)).await).await;
    assert!(refused(&reply), "{reply:?}");
    let findings = weak.preflight(&target(), true, "mrctl.probe").await;
    let Known::Known(findings) = findings else { panic!("{findings:?}") };
    for name in ["monitor", "signal", "reload", "alter_system", "promote"] {
        let finding = findings.iter().find(|finding| finding.check == name).unwrap();
        assert!(finding.fatal && finding.fine == Known::Known(false), "{finding:?}");
    }
}

#[tokio::test]
async fn a_silent_server_is_unknown_within_the_deadline() {
    let pair = Pair::start().await;
    let port = reach(&pair, Reach { timeout: std::time::Duration::from_millis(700), ..Reach::default() });
    // Where an answer is expected the short deadline may pass on a busy machine: asked again.
    let answers = || until("an answer", || async { port.look(&source(), &scope()).await.get().map(drop) });
    answers().await;
    let postmaster = std::fs::read_to_string(pair.primary.data.join("postmaster.pid")).unwrap();
    let postmaster = postmaster.lines().next().unwrap().to_string();
    let backends = pair
        .primary
        .sql("SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/look'")
        .await;
    let backends = || backends.split(' ');
    assert!(backends().count() > 1, "the one that looked, and spares");
    backends().for_each(|backend| signal(backend, rustix::process::Signal::STOP));
    // The kept connections are silent: a new one is tried, which answers.
    answers().await;
    signal(&postmaster, rustix::process::Signal::STOP);
    port.freeze(&permit("read_only", 1), &source(), "x", None).await;
    let begun = std::time::Instant::now();
    let seen = port.look(&source(), &scope()).await;
    backends().for_each(|backend| signal(backend, rustix::process::Signal::CONT));
    signal(&postmaster, rustix::process::Signal::CONT);
    assert!(seen.why().is_some_and(|why| why.contains("did not answer within")), "{seen:?}");
    assert!(begun.elapsed() < PATIENCE);
}

#[tokio::test]
async fn passwords_are_never_in_what_is_said() {
    let pair = Pair::start().await;
    let wrong = reach(&pair, Reach { password: "canary-wr0ng", ..Reach::default() });
    let seen = wrong.look(&source(), &scope()).await;
    let text = format!("{seen:?} {seen:?}");
    assert!(text.contains("password authentication failed"), "{text}");
    assert!(!text.contains("canary"), "{text}");
    let reply = wrong.freeze(&permit("read_only", 1), &source(), "1", None).await;
    assert!(refused(&reply), "no connection was made, so nothing was sent: {reply:?}");
    assert!(!format!("{reply:?}").contains("canary"));
    let port = postgres(&pair);
    let _ = port.look(&source(), &scope()).await;
    pair.primary.stop_cleanly();
    let gone = port.look(&source(), &scope()).await;
    assert!(gone.why().is_some_and(|why| why.contains("refused")), "{gone:?}");
    assert!(!format!("{gone:?}").contains(CANARY));
}

#[tokio::test]
async fn a_lock_is_held_once_and_is_seen_to_be_lost() {
    let pair = Pair::start().await;
    let (port, other) = (postgres(&pair), postgres(&pair));
    for member in [source(), target()] {
        assert_eq!(port.lock(&member, RUN).await, Known::Known(true));
        assert_eq!(port.lock(&member, RUN).await, Known::Known(true), "our own lock is ours");
        assert_eq!(other.lock(&member, RUN).await, Known::Known(false));
        assert_eq!(port.lock_held(&member).await, Known::Known(true));
    }
    pair.primary
        .sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'mrctl/%/lock'")
        .await;
    until("the loss", || async { (port.lock_held(&source()).await == Known::Known(false)).then_some(()) })
        .await;
    assert_eq!(port.lock(&source(), RUN).await, Known::Known(true), "it can be taken again");
}
