//! A PostgreSQL that never answers, for worlds in which none matters.

use crate::journal::Permit;
use crate::world::postgres::{
    Altered, Change, Finding, Glance, Handover, Postgres, Protection, Scope, ServerFacts,
};
use crate::world::{Answer, Known, Member, Reply, ready};

const WHY: &str = "no answer in time";

/// Looks are unknown, changes are lost.
#[derive(Clone, Copy, Debug, Default)]
pub struct SilentPostgres;

impl Postgres for SilentPostgres {
    fn look<'a>(&'a self, _: &'a Member, _: &'a Scope) -> Answer<'a, Known<ServerFacts>> {
        ready(Known::unknown(WHY))
    }

    fn glance<'a>(&'a self, _: &'a Member, _: &'a Scope) -> Answer<'a, Known<Glance>> {
        ready(Known::unknown(WHY))
    }

    fn preflight<'a>(&'a self, _: &'a Member, _: bool, _: &'a str) -> Answer<'a, Known<Vec<Finding>>> {
        ready(Known::unknown(WHY))
    }

    fn freeze<'a>(
        &'a self,
        _: &'a Permit,
        _: &'a Member,
        _: &'a str,
        _: Option<&'a Scope>,
    ) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn unfreeze<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a str, _: &'a Altered) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn end_sessions<'a>(
        &'a self,
        _: &'a Permit,
        _: &'a Member,
        _: &'a str,
        _: &'a Scope,
    ) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn mark<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a str) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn promote<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a Handover) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn protection<'a>(&'a self, _: &'a Member) -> Answer<'a, Known<Protection>> {
        ready(Known::unknown(WHY))
    }

    fn checkpoint<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a str) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn create_slot<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a str, _: &'a str) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn write_probe<'a>(&'a self, _: &'a Permit, _: &'a Member, _: &'a str) -> Answer<'a, Reply> {
        ready(Reply::lost(WHY))
    }

    fn read_probe<'a>(&'a self, _: &'a Member, _: &'a str, _: &'a str) -> Answer<'a, Known<bool>> {
        ready(Known::unknown(WHY))
    }

    fn lock<'a>(&'a self, _: &'a Member, _: &'a str) -> Answer<'a, Known<bool>> {
        ready(Known::unknown(WHY))
    }

    fn lock_held<'a>(&'a self, _: &'a Member) -> Answer<'a, Known<bool>> {
        ready(Known::unknown(WHY))
    }

    fn statements(&self, _: Change) -> Vec<String> {
        Vec::new()
    }
}
