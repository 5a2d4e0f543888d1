//! Ports behind which there is nothing: every look is unknown and every change is refused. For tests of kinds that need one port.

use crate::journal::Permit;
use crate::world::cache::{Cache, CacheFacts, Pace};
use crate::world::clock::{Clock, Moment};
use crate::world::dns::{Dns, RecordAim, RecordFacts, RecordName, RecordSet};
use crate::world::exec::{Command, Exec, Output};
use crate::world::http::{Http, Probe};
use crate::world::notify::Notify;
use crate::world::postgres::Postgres;
use crate::world::signal::{SignalCall, Signals};
use crate::world::{Answer, Known, Member, Reply, World, ready};
use std::rc::Rc;

/// Nothing.
pub struct Silent;

const WHY: &str = "there is nothing behind this port";

/// A world with one port.
pub fn world(postgres: Rc<dyn Postgres>) -> World {
    World {
        clock: Rc::new(Silent),
        postgres,
        dns: Rc::new(Silent),
        http: Rc::new(Silent),
        cache: Rc::new(Silent),
        exec: Rc::new(Silent),
        notify: Rc::new(Silent),
        signals: Rc::new(Silent),
    }
}

impl Clock for Silent {
    fn now(&self) -> Moment {
        Moment(0)
    }

    fn sleep(&self, _time: std::time::Duration) -> Answer<'_, ()> {
        ready(())
    }
}

impl Dns for Silent {
    fn look<'a>(&'a self, _at: &'a RecordName) -> Answer<'a, Known<RecordFacts>> {
        ready(Known::unknown(WHY))
    }

    fn swap<'a>(
        &'a self,
        _permit: &'a Permit,
        _at: &'a RecordName,
        _expected: &'a [RecordSet],
        _aim: &'a RecordAim,
    ) -> Answer<'a, Reply> {
        ready(Reply::refused(WHY))
    }

    fn preview(
        &self,
        _at: &RecordName,
        _expected: &[RecordSet],
        _aim: &RecordAim,
    ) -> Result<Vec<RecordSet>, String> {
        Err(WHY.into())
    }
}

impl Http for Silent {
    fn probe<'a>(&'a self, _endpoint: &'a Member) -> Answer<'a, Probe> {
        ready(Probe {
            address: Known::unknown(WHY),
            connected: Known::unknown(WHY),
            tls: Known::unknown(WHY),
            status: Known::unknown(WHY),
            body: Known::unknown(WHY),
            latency_us: Known::unknown(WHY),
            trouble: WHY.into(),
        })
    }

    fn expected_status(&self, _endpoint: &str) -> u16 {
        200
    }
}

impl Cache for Silent {
    fn look<'a>(&'a self, _at: &'a Member) -> Answer<'a, Known<CacheFacts>> {
        ready(Known::unknown(WHY))
    }

    fn copy<'a>(
        &'a self,
        _permit: &'a Permit,
        _from: &'a Member,
        _to: &'a Member,
        _pace: &'a Pace,
        _cursor: &'a str,
    ) -> Answer<'a, Reply> {
        ready(Reply::refused(WHY))
    }
}

impl Exec for Silent {
    fn look<'a>(&'a self, _command: &'a Command) -> Answer<'a, Known<Output>> {
        ready(Known::unknown(WHY))
    }

    fn run<'a>(&'a self, _permit: &'a Permit, _command: &'a Command) -> Answer<'a, Reply> {
        ready(Reply::refused(WHY))
    }
}

impl Notify for Silent {
    fn send<'a>(&'a self, _permit: &'a Permit, _channel: &'a str, _text: &'a str) -> Answer<'a, Reply> {
        ready(Reply::refused(WHY))
    }
}

impl Signals for Silent {
    fn sample<'a>(&'a self, _call: &'a SignalCall) -> Answer<'a, Known<f64>> {
        ready(Known::unknown(WHY))
    }
}
