//! What a preflight finds before the freeze, and not after it.

use crate::support::pg::{Pair, Wishes};
use crate::support::port::bad;
use crate::support::world::{postgres, source, target};
use mrctl::world::Known;
use mrctl::world::postgres::Postgres as _;

#[tokio::test]
async fn a_sound_pair_has_no_fatal_finding() {
    let pair = Pair::start().await;
    let port = postgres(&pair);
    assert_eq!(bad(&port, &source()).await, Vec::<String>::new());
    assert_eq!(bad(&port, &target()).await, Vec::<String>::new());
}

#[tokio::test]
async fn what_would_hang_or_fail_after_the_promotion_is_found_before() {
    let pair = Pair::with(Wishes { standby: "synchronous_standby_names=eu_west", ..Wishes::default() }).await;
    let port = postgres(&pair);
    pair.primary.sql("DROP TABLE mrctl.probe; ALTER ROLE app SET default_transaction_read_only = on").await;
    pair.caught_up().await;
    let bad = bad(&port, &target()).await;
    assert_eq!(bad, ["probe_table", "synchronous_names"], "a role for reports is no leak");
    pair.primary.sql("CREATE TABLE mrctl.probe (run_id text PRIMARY KEY, ts timestamptz NOT NULL)").await;
    let found = port.preflight(&source(), false, "mrctl.probe").await;
    let Known::Known(found) = found else { panic!("{found:?}") };
    assert!(found.iter().any(|f| f.seen == "no SELECT, INSERT and UPDATE on it"), "{found:?}");
}
