//! A database's certificate is replaced in the middle of a run, behind the freeze: by one that has ended, by one of another name, by a
//! good one. mrctl speaks to the databases itself here and verifies them; a step of the run waits until everything is replaced.

use super::{Night, Out, SHORT, expected};
use crate::lab::until;
use mrctl::lab::Region;
use mrctl::lab::pki::IssueOptions;
use std::path::PathBuf;
use std::time::Instant;

/// Good, and wrong in a way.
#[derive(Clone, Copy, Debug)]
enum Certificate {
    Good,
    Expired,
    AnotherName,
}

impl Night {
    /// Around the proxies, with everything verified.
    fn directly(&mut self) {
        let inventory = self.site.lab.inventory();
        let mut text = std::fs::read_to_string(&inventory).unwrap();
        let port = self.site.lab.ports().postgres;
        for proxy in &self.proxies {
            let at = |port| format!("        host: {}\n        port: {port}\n", proxy.at.ip());
            assert!(text.contains(&at(proxy.at.port())), "{text}");
            text = text.replace(&at(proxy.at.port()), &at(port));
        }
        let tls = "tls: { verify: none, insecure: true }";
        assert!(text.contains(tls), "{text}");
        std::fs::write(&inventory, text.replace(tls, "tls: { verify: full, ca: pki/ca.pem }")).unwrap();
        // Behind the freeze the run says where it is, and waits to be let go.
        let step = format!(
            "  - id: meddle\n    exec: {{ command: [/bin/sh, -c, \"touch {at}; until [ -e {go} ]; do sleep 0.02; done\"], \
             effect: a certificate is replaced }}\n    timeout: 20s\n    \
             rollback: {{ none: {{ because: the test puts it back }} }}\n  - id: catch_up\n",
            at = self.flag("frozen").display(),
            go = self.flag("go").display(),
        );
        self.runbook = Box::leak(SHORT.replace("  - id: catch_up\n", &step).into_boxed_str());
    }

    fn flag(&self, name: &str) -> PathBuf {
        self.site.folder.path().join(name)
    }

    /// The server of a region has such a certificate, for every connection to come.
    async fn certify(&self, region: Region, certificate: Certificate) {
        let name = match certificate {
            Certificate::Good | Certificate::Expired => region.address().to_string(),
            Certificate::AnotherName => "pg.elsewhere.example.com".into(),
        };
        let expired = matches!(certificate, Certificate::Expired);
        let issued = self.site.lab.pki().issue(&IssueOptions { names: vec![name], expired }).unwrap();
        // Written into the files that are there: they stay their owner's.
        for (file, text) in [("server.key", issued.key), ("server.pem", issued.certificate)] {
            let path = self.site.lab.layout().postgres(region).join(file);
            assert!(path.exists(), "{}", path.display());
            std::fs::write(path, text).unwrap();
        }
        let pid =
            std::fs::read_to_string(self.site.lab.layout().pgdata(region).join("postmaster.pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
        let valid = !matches!(certificate, Certificate::Expired | Certificate::AnotherName);
        until("new connections meet the certificate", async || {
            self.site.lab.connect(region, mrctl::lab::Role::Monitoring).await.is_ok() == valid
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_replaced_behind_the_freeze_stops_the_run_only_if_it_proves_nothing() {
    let mut night = Night::up().await;
    night.directly();
    let observer = night.watch();
    for (expected, source, certificate, ends) in [
        // Whoever was verified when the connection was made is still the same.
        (
            expected("the source's has ended, connections last", 0, "completed", Out::Closed),
            true,
            Certificate::Expired,
            false,
        ),
        (expected("the source's has ended", 3, "expired", Out::Closed), true, Certificate::Expired, true),
        (
            expected("the target's is of another name", 3, "not valid for name", Out::Closed),
            false,
            Certificate::AnotherName,
            true,
        ),
        (expected("the source's is a new one", 0, "completed", Out::Closed), true, Certificate::Good, true),
    ] {
        let what = expected.what;
        for flag in ["frozen", "go"] {
            let _none = std::fs::remove_file(night.flag(flag));
        }
        let region = if source { night.from } else { night.to };
        let superuser = night.site.lab.connect(region, mrctl::lab::Role::Superuser).await.unwrap();
        let begun = Instant::now();
        let running = tokio::spawn(night.press().end());
        until("the run is behind the freeze", async || night.flag("frozen").exists()).await;
        night.certify(region, certificate).await;
        if ends {
            let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mrctl'";
            superuser.simple_query(end).await.unwrap();
        }
        std::fs::write(night.flag("go"), "").unwrap();
        if expected.code != 0 {
            night.turned_back().await;
            assert!(!night.site.writable(night.to).await, "{what}: promoted");
            night.certify(region, Certificate::Good).await;
        }
        let ended = running.await.unwrap();
        night.certify(region, Certificate::Good).await;
        night.ends(expected, begun, &ended).await;
    }
    night.judged(observer).await;
    night.site.lab.down().await.unwrap();
}
