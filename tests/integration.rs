//! The one integration binary: a file per behaviour that a user can see. Each test starts real servers of its own.

mod conformance;
mod failover;
mod generated;
mod history;
mod lab;
mod language;
mod planned_failovers;
mod postgres;
mod postgres_signal;
mod postgres_switch;
mod postgres_tls;
mod rehearsal_reports;
mod rehearse;
mod rehearse_certificate;
mod rehearse_live;
mod rehearse_real;
mod structure;
mod support;
mod terminal;
mod traffic;
