//! DNS fails behind a promotion: the server is gone, does what it is asked and says that it has not, says that it has and has not, or a
//! server that users ask never gets the change. The writer is never moved back for it.

use super::{Night, Out, PROMOTED, Running, SHORT, expected, nightly};
use crate::support::api::{Api, Manner};
use mrctl::lab::{Fault, Region};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The short runbook, and users.
fn with_users() -> &'static str {
    let runbook = format!("{SHORT}  - id: shift\n    dns.shift: www\n    timeout: 3s\n");
    Box::leak(runbook.into_boxed_str())
}

impl Night {
    /// A proxy before the API of each name server.
    async fn names(&mut self) -> [Api; 2] {
        self.runbook = with_users();
        let port = self.site.lab.ports().dns_api;
        let server = |region: Region| SocketAddr::from((region.address(), port));
        let apis = [Api::before(server(Region::EuWest)).await, Api::before(server(Region::UsEast)).await];
        let inventory = self.site.lab.inventory();
        let mut text = std::fs::read_to_string(&inventory).unwrap();
        for (api, region) in apis.iter().zip(Region::ALL) {
            let url = self.site.lab.dns_api(region);
            assert!(text.contains(&url), "{text}");
            text = text.replace(&url, &format!("http://{}", api.at));
        }
        std::fs::write(&inventory, text).unwrap();
        apis
    }

    /// What a name server answers users, and what it has to.
    async fn users_go(&self, to: Region) {
        for server in Region::ALL {
            let answer = mrctl::lab::resolve::ask(self.site.lab.dns_server(server), mrctl::lab::RECORD).await;
            let answer = answer.unwrap();
            assert_eq!(answer.addresses, [to.address()], "{server}");
        }
    }
}

/// What happens to the servers of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// One is killed before the run comes to the shift.
    Killed,
    /// One is killed when the change is on its way to it.
    KilledAt,
    /// One behaves so.
    Behaves(Manner),
}

#[tokio::test(flavor = "multi_thread")]
async fn name_servers_that_fail_behind_the_promotion_are_told_and_the_writer_stays() {
    let mut night = Night::up().await;
    let apis = night.names().await;
    let observer = night.watch();
    for (expected, how) in [
        (expected("gone before the shift", 6, "pdns-eu cannot be read", Out::Resume(0)), How::Killed),
        (expected("gone at the shift", 6, "pdns-eu cannot be read", Out::Resume(0)), How::KilledAt),
        (expected("done, and an error", 0, "completed", Out::Closed), How::Behaves(Manner::FailsAfter)),
        (expected("done, and closed", 0, "completed", Out::Closed), How::Behaves(Manner::ClosesAfter)),
        (expected("said, and not done", 4, "pdns-eu", Out::Resume(0)), How::Behaves(Manner::Pretends)),
    ] {
        // The others are as likely to do harm as these, and take as long.
        if !nightly() && matches!(how, How::KilledAt | How::Behaves(Manner::ClosesAfter)) {
            continue;
        }
        let (to, first) = (night.to, &apis[0]);
        let fault = Fault::Dns(Region::EuWest);
        let begun = Instant::now();
        let running: Running = match how {
            How::Killed => {
                let running = night.held(to, &[PROMOTED]).await;
                night.site.lab.inflict(fault).await.unwrap();
                night.target().release();
                running
            }
            How::KilledAt => {
                first.is(Manner::Holds);
                let running = night.press();
                assert!(first.reached(Duration::from_secs(30)).await, "never asked to shift");
                night.site.lab.inflict(fault).await.unwrap();
                first.is(Manner::Honest);
                first.release();
                running
            }
            How::Behaves(manner) => {
                first.is(manner);
                night.press()
            }
        };
        let ended = running.end().await;
        assert_eq!(night.writers().await, [to], "{}", expected.what);
        if matches!(how, How::Killed | How::KilledAt) {
            night.site.lab.heal(fault).await.unwrap();
        }
        first.is(Manner::Honest);
        night.ends(expected, begun, &ended).await;
        night.users_go(to).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secondary_that_does_not_take_the_change_holds_the_end_up_until_it_has_it() {
    let mut night = Night::up().await;
    night.runbook = with_users();
    // The server that is changed is hidden; users ask another one, which has its own copy of the zone.
    let inventory = night.site.lab.inventory();
    let text = std::fs::read_to_string(&inventory).unwrap();
    let [hidden, asked] = Region::ALL.map(|region| night.site.lab.dns_server(region).to_string());
    let query = |at: &str| format!("    query: \"{at}\"\n");
    assert!(text.contains(&query(&hidden)) && text.contains("[pdns-eu, pdns-us]"), "{text}");
    let text = text.replace(&query(&hidden), &query(&asked)).replace("[pdns-eu, pdns-us]", "[pdns-eu]");
    std::fs::write(&inventory, text).unwrap();
    let observer = night.watch();
    let begun = Instant::now();
    let ended = night.press().end().await;
    let to = night.to;
    assert_eq!(night.writers().await, [to]);
    // What the server holds is not what users are answered, and the ending says so.
    let notes = ended.last("surveyed")["notes"].to_string();
    assert!(notes.contains("still answers with eu-west"), "{notes}");
    let stays = night.resume().await;
    assert_eq!(stays.code, ended.code, "{stays}");
    // It takes the change at last.
    crate::lab::point_dns(&night.site.lab, to).await;
    night
        .ends(expected("a secondary that is late", 6, "but answers eu-west", Out::Resume(0)), begun, &ended)
        .await;
    night.users_go(to).await;
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
