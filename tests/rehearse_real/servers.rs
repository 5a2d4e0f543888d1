//! Faults of servers that no counterexample of the bad runbooks needs: each does to a real server what the model says.

use crate::lab::lab;
use mrctl::lab::stage::Causes;
use mrctl::lab::{Lab, Region, Role, Standing};
use mrctl::rehearse::alphabet::Mishap;
use mrctl::world::Member;

fn at(region: Region) -> Member {
    Member::new("orders", region.name())
}

async fn number(lab: &Lab, region: Region, question: &str) -> i64 {
    let session = lab.connect(region, Role::Superuser).await.unwrap();
    session.query_one(question, &[]).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_thaws_writes_takes_the_lock_and_promotes() {
    let (lab, _folder) = lab().await;
    let (eu, us) = (Region::EuWest, Region::UsEast);
    let mut causes = Causes::default();
    let superuser = lab.connect(eu, Role::Superuser).await.unwrap();
    superuser.batch_execute("ALTER SYSTEM SET default_transaction_read_only = on").await.unwrap();
    superuser.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    crate::lab::until("it is frozen", async || {
        matches!(lab.database(eu).await, Standing::Primary { frozen: true, .. })
    })
    .await;
    let before = number(&lab, eu, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").await;
    causes.cause(&lab, &Mishap::WroteThroughFreeze(at(eu))).await.unwrap();
    let after = number(&lab, eu, "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint").await;
    assert!(after > before, "nothing was committed");
    assert!(matches!(lab.database(eu).await, Standing::Primary { frozen: true, .. }));

    let holder = lab.connect(eu, Role::Mrctl).await.unwrap();
    holder.batch_execute("SELECT pg_advisory_lock(42)").await.unwrap();
    causes.cause(&lab, &Mishap::LockTaken(at(eu))).await.unwrap();
    assert!(holder.simple_query("SELECT 1").await.is_err(), "the holder still has its session");
    let free = "SELECT pg_try_advisory_lock(42)::int::bigint";
    assert_eq!(number(&lab, eu, free).await, 0, "nobody holds it");
    causes.heal(&lab).await.unwrap();
    crate::lab::until("it is free again", async || number(&lab, eu, free).await == 1).await;

    causes.cause(&lab, &Mishap::ThawedByOthers(at(eu))).await.unwrap();
    crate::lab::until("it is thawed", async || {
        matches!(lab.database(eu).await, Standing::Primary { frozen: false, .. })
    })
    .await;
    causes.cause(&lab, &Mishap::PromotedByOthers(at(us))).await.unwrap();
    assert!(matches!(lab.database(us).await, Standing::Primary { .. }));
    let nobody = causes.cause(&lab, &Mishap::AskedToStop).await.unwrap_err();
    assert!(nobody.to_string().contains("no server's fault"), "{nobody}");
    lab.down().await.unwrap();
}
