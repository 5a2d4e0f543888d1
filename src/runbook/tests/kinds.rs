//! The rules are tested with the table of kinds that they run with.

pub(super) use crate::plan::TableOfKinds as Kinds;
