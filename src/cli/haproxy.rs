//! `mrctl haproxy`: a fence of HAProxy, and its proof. The inventory names it under `fence` and `fenced` as any other command; a person can
//! run it by hand.

use super::setup::Setup;
use crate::world::Known;
use crate::world::real::haproxy::{self, Closed, ServerName};
use clap::{Args, Subcommand};
use std::time::Duration;

/// Exit codes are those that `fence` and `fenced` of a member ask for.
#[derive(Debug, Args)]
pub struct HaproxyArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Put a server into maintenance at every proxy and end its sessions. Exit code 0 when that was seen at each of them, 75 when nothing
    /// was changed, 1 otherwise. Nothing of it is ever taken back by mrctl.
    Close(Whom),
    /// Tell whether users can reach a server. Exit code 0 when it is in maintenance at every proxy and has no session, 3 when one sends users
    /// to it and finds it up, or lets its sessions go on; 6 when that cannot be told.
    Look(Whom),
}

#[derive(Debug, Args)]
struct Whom {
    /// A proxy's runtime API: HOST:PORT, or the path of a socket. Every proxy through which users come.
    #[arg(long, required = true, value_name = "ADDRESS")]
    at: Vec<String>,
    /// The server, as HAProxy's configuration calls it.
    #[arg(long, value_name = "BACKEND/SERVER")]
    server: ServerName,
    /// How long each proxy may take. Seconds.
    #[arg(long, value_name = "SECONDS", default_value = "3", value_parser = clap::value_parser!(u64).range(1..=60))]
    within: u64,
}

/// Worst first: what decides the exit code.
fn worst(codes: impl IntoIterator<Item = u8>, order: &[u8]) -> u8 {
    let codes: Vec<u8> = codes.into_iter().collect();
    order.iter().copied().find(|code| codes.contains(code)).unwrap_or(0)
}

/// `mrctl haproxy`: the exit code.
pub async fn haproxy(setup: &Setup, args: HaproxyArgs) -> u8 {
    let tell = |at: &str, line: &str| setup.data(setup.redactor.scrub(&format!("{at}: {line}")).as_ref());
    match args.what {
        What::Look(whom) => {
            let limit = Duration::from_secs(whom.within);
            // All at once: one that is silent costs its time only once.
            let looks = whom.at.iter().map(|at| haproxy::look(at, &whom.server, limit));
            let seen = futures_util::future::join_all(looks).await;
            let codes = whom.at.iter().zip(&seen).map(|(at, seen)| match seen {
                Known::Known(None) => {
                    tell(at, &format!("{} is in maintenance, and no session goes on", whom.server));
                    0
                }
                Known::Known(Some(why)) => {
                    tell(at, why);
                    3
                }
                Known::Unknown(why) => {
                    tell(at, &format!("unknown: {why}"));
                    6
                }
            });
            worst(codes, &[3, 6])
        }
        What::Close(whom) => {
            let limit = Duration::from_secs(whom.within);
            let closing = whom.at.iter().map(|at| haproxy::close(at, &whom.server, limit));
            let closed = futures_util::future::join_all(closing).await;
            let codes: Vec<u8> = whom
                .at
                .iter()
                .zip(&closed)
                .map(|(at, closed)| match closed {
                    Closed::Seen => {
                        tell(at, &format!("{} is in maintenance, and no session goes on", whom.server));
                        0
                    }
                    Closed::Nothing(why) => {
                        setup.say(setup.redactor.scrub(&format!("{at}: nothing was done: {why}")).as_ref());
                        75
                    }
                    Closed::Unproved(why) => {
                        setup.say(setup.redactor.scrub(&format!("{at}: {why}")).as_ref());
                        1
                    }
                })
                .collect();
            match codes.iter().all(|code| *code == 75) {
                true => 75,
                // At some it was done.
                false => u8::from(codes.iter().any(|code| *code != 0)),
            }
        }
    }
}
