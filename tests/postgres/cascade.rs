//! A standby of a standby: the primary has no row for it, and what counts is what it has replayed itself. And roles that change
//! while they are looked at.

use crate::support::kinds::{catch_up, freeze, judge, promote, step};
use crate::support::pg::Pair;
use crate::support::port::{facts, freeze as frozen, handover, scope};
use crate::support::world::{Reach, members, permit, postgres, source, target, world};
use mrctl::step::Standing;
use mrctl::world::Known;
use mrctl::world::postgres::Postgres as _;

#[tokio::test]
async fn a_standby_of_a_standby_is_moved_to_by_what_it_has_replayed_itself() {
    let pair = Pair::start().await;
    let cascade = pair.cascade().await;
    let ports = [("eu-west", pair.primary.port), ("us-east", cascade.port)];
    let world = world(members(Reach::default(), &ports));
    pair.primary.sql("INSERT INTO orders (note) VALUES ('through two hops')").await;
    let mut proof = None;
    step(&world, &freeze(), &mut proof).await.unwrap();
    // The trap: the primary's view knows only the standby between; nothing that counts is taken from it.
    let senders = "SELECT string_agg(application_name, ',') FROM pg_stat_replication";
    assert_eq!(pair.primary.sql(senders).await, "us_east");
    // What is held up between arrives at nobody behind.
    pair.standby.pause_replay().await;
    step(&world, &catch_up(), &mut proof).await.unwrap();
    step(&world, &promote(), &mut proof).await.unwrap();
    let rows = cascade.sql("SELECT count(*) FROM orders WHERE note = 'through two hops'").await;
    assert_eq!(rows, "1");
    let judged = judge(&world, &promote(), "promote", proof.as_ref()).await.1;
    assert_eq!(judged.standing, Standing::Reached, "{}", judged.evidence);
    // The standby between still follows the old primary: it is nobody's replica of the new one.
    assert_eq!(pair.standby.sql("SELECT pg_is_in_recovery()::text").await, "true");
}

#[tokio::test]
async fn a_standby_of_a_standby_that_is_held_up_is_not_caught_up() {
    let pair = Pair::start().await;
    let cascade = pair.cascade().await;
    let ports = [("eu-west", pair.primary.port), ("us-east", cascade.port)];
    let world = world(members(Reach::default(), &ports));
    let mut proof = None;
    step(&world, &freeze(), &mut proof).await.unwrap();
    cascade.pause_replay().await;
    let judged = judge(&world, &catch_up(), "mark", None).await.1;
    assert_eq!(judged.standing, Standing::Blocked, "{}", judged.evidence);
    assert!(judged.evidence.contains("paused") && judged.handover.is_none(), "{}", judged.evidence);
}

#[tokio::test]
async fn looks_across_a_promotion_see_a_standby_then_a_primary_and_never_half_of_each() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    frozen(&port).await;
    let good = handover(&port).await;
    pair.caught_up().await;
    let looks = postgres(&pair);
    let watch = async {
        let (mut standbys, mut primaries) = (0_u32, 0_u32);
        while primaries < 3 {
            // A role that flips in the middle of the statement raises 55000: looked at again, or unknown, and never half of each.
            match looks.look(&target(), &scope()).await {
                Known::Known(seen) if seen.in_recovery() => {
                    assert_eq!(primaries, 0, "a primary went back");
                    assert!(seen.standby().is_some() && seen.primary().is_none());
                    standbys += 1;
                }
                Known::Known(seen) => {
                    assert_eq!(seen.primary().unwrap().timeline, 2);
                    primaries += 1;
                }
                Known::Unknown(why) => assert!(why.contains("role") || why.contains("recovery"), "{why}"),
            }
        }
        standbys
    };
    // Connected and prepared, so that the looks of the promotion's time are quick.
    assert!(facts(&looks, &target()).await.in_recovery());
    let (attempt, at) = (permit("promote", 1), target());
    let promotion = port.promote(&attempt, &at, &good);
    let (standbys, reply) = futures_util::future::join(watch, promotion).await;
    assert!(matches!(reply, mrctl::world::Reply::Acknowledged { .. }), "{reply:?}");
    assert!(standbys > 0);
    assert!(!facts(&port, &source()).await.in_recovery());
}
