//! A journal, drawn after the fact: as the checklist that the operator saw, or as a timeline.

use super::checklist::Frame;
use super::model::Model;
use super::plain;
use super::scribe::Scribe;
use super::streams::Style;
use super::summary::{self, ByHand, Rest};
use crate::engine::record::Record;
use crate::plan::Plan;
use std::sync::Arc;

/// The checklist as it stood when it was written, line by line. `records` with their times, in order.
pub fn checklist<'r>(
    plan: &Plan,
    records: impl IntoIterator<Item = (i64, &'r Record)>,
    frame: &Frame,
    by_hand: &ByHand,
    style: Style,
    width: usize,
) -> Vec<String> {
    let mut model = Model::new(Arc::new(plan.clone()));
    let scribe = Scribe { frame, by_hand, style, width };
    let mut lines = Vec::new();
    for (at, record) in records {
        for change in model.record(at, record) {
            lines.extend(scribe.lines(&model, record, &change).iter().map(|text| text.paint(style)));
        }
    }
    lines
}

/// What a run leaves in place, with the commands that take it back by hand.
pub fn left<'r>(
    plan: &Plan,
    records: impl IntoIterator<Item = (i64, &'r Record)>,
    by_hand: &ByHand,
    rest: Rest,
    style: Style,
    width: usize,
) -> Vec<String> {
    let mut model = Model::new(Arc::new(plan.clone()));
    for (at, record) in records {
        model.record(at, record);
    }
    let mut lines = Vec::new();
    summary::remains(&model, by_hand, rest, &mut lines, width, style);
    lines.iter().map(|text| text.paint(style)).collect()
}

/// Every change with its time, each as the plan has it that counted then. `plan`: the one that the run was begun with.
pub fn timeline<'r>(
    plan: &Plan,
    records: impl IntoIterator<Item = (i64, &'r Record)>,
    by_hand: &ByHand,
    style: Style,
) -> Vec<String> {
    let mut model = Model::new(Arc::new(plan.clone()));
    let mut lines = Vec::new();
    let records: Vec<(i64, &Record)> = records.into_iter().collect();
    for (index, (at, record)) in records.iter().enumerate() {
        let (at, record) = (*at, *record);
        if let Record::Switched { to, .. } = record {
            model = Model::new(Arc::new((**to).clone()));
            records[..index].iter().for_each(|(at, record)| drop(model.record(*at, record)));
        }
        for change in model.record(at, record) {
            for text in plain::lines(&model, record, &change, by_hand, at, style) {
                lines.push(text.spelled(style).paint(style));
            }
        }
    }
    lines
}
