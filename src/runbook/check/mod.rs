//! Rules beyond the form: each is one small function in a table, and all of them run, so that all problems show at once.

mod conditions;
mod dns;
mod inventory;
mod lines;
mod names;
mod parallel;
pub(super) mod parameters;
mod policy;
mod references;
mod rejoin;
mod resources;
mod slots;
mod tables;
mod writer;

pub use lines::{Line, lines};
pub use names::{LATER, REGIONS};
pub use resources::{named, resolve_group};

use super::discovery::Loaded;
use super::parse::{Draft, KindNames};
use crate::error::Problems;

/// What the rules have to know of kinds.
pub trait KindFacts: KindNames {
    /// The facts of a kind; none if there is no such kind.
    fn facts(&self, kind: &str) -> Option<KindFact>;
}

/// What the rules have to know of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KindFact {
    /// Its part in moving a writer.
    pub part: Part,
    /// Whether it changes anything.
    pub changes: bool,
    /// Whether what it changes can be put back.
    pub undoable: bool,
    /// Whether its texts end up in a query, a URL or an argument, where a value could do harm.
    pub external: bool,
    /// The field that names resources (also its short form), and their type, such as `("cluster", "postgres")`.
    pub resource: Option<(&'static str, &'static str)>,
}

/// The part of a kind in moving a writer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// Asks or waits for a person or for time.
    Pause,
    /// Stops writes of a data set.
    Freeze,
    /// Proves that the target has everything.
    CatchUp,
    /// Stops the source. Before the promotion it proves that the target has everything; behind it, it is a fence.
    Stop,
    /// Keeps users from a source that may still run.
    Fence,
    /// Makes what was left a standby again.
    Rejoin,
    /// Promotes: there is no way back.
    Pivot,
    /// Sends users to a region.
    Traffic,
    /// Anything else.
    Other,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The runbook.
    pub draft: &'a Draft,
    /// Kinds.
    pub kinds: &'a dyn KindFacts,
    /// The inventory, if one was found.
    pub inventory: Option<&'a Loaded>,
}

/// One rule for runbooks.
struct Rule {
    /// Whether it looks for what is missing, and so makes sense only when every step could be read.
    needs_whole: bool,
    run: fn(&Context<'_>, &mut Problems),
}

/// Every rule for runbooks.
const RULES: &[Rule] = &[
    Rule { needs_whole: false, run: references::step_ids_are_unique },
    Rule { needs_whole: false, run: references::resources_exist },
    Rule { needs_whole: false, run: references::watch_ids_are_unique },
    Rule { needs_whole: true, run: references::watches_name_steps_in_order },
    Rule { needs_whole: false, run: references::roles_are_declared },
    Rule { needs_whole: false, run: parallel::nothing_dangerous_runs_together },
    Rule { needs_whole: false, run: parallel::one_change_a_resource },
    Rule { needs_whole: true, run: writer::frozen_and_caught_up_before_promoted },
    Rule { needs_whole: true, run: writer::frozen_to_be_promoted },
    Rule { needs_whole: true, run: writer::fenced_before_caught_up },
    Rule { needs_whole: true, run: writer::stopped_where_it_proves_or_fences },
    Rule { needs_whole: true, run: rejoin::only_a_stopped_source_rejoins },
    Rule { needs_whole: true, run: writer::nobody_is_waited_for_while_frozen },
    Rule { needs_whole: true, run: writer::all_caught_up_before_the_first_promotion },
    Rule { needs_whole: true, run: writer::traffic_follows_the_writer },
    Rule { needs_whole: false, run: policy::writer_steps_may_not_fail_quietly },
    Rule { needs_whole: true, run: policy::a_fence_is_not_taken_back },
    Rule { needs_whole: false, run: policy::temporary_can_be_put_back },
    Rule { needs_whole: false, run: policy::rollback_steps_can_roll_back },
    Rule { needs_whole: false, run: policy::places_are_words },
    Rule { needs_whole: false, run: policy::no_literal_regions },
    Rule { needs_whole: false, run: policy::marks_are_names },
    Rule { needs_whole: false, run: parameters::definitions_make_sense },
    Rule { needs_whole: false, run: parameters::outside_text_is_guarded },
    Rule { needs_whole: false, run: names::names_are_known },
    Rule { needs_whole: false, run: conditions::conditions_make_sense },
    Rule { needs_whole: false, run: conditions::when_is_decided_in_the_plan },
];

/// Applies every rule to a runbook.
pub fn runbook(context: &Context<'_>, problems: &mut Problems) {
    for rule in RULES.iter().filter(|rule| context.draft.whole || !rule.needs_whole) {
        (rule.run)(context, problems);
    }
}

/// What an inventory's rule looks at.
#[derive(Clone, Copy)]
pub struct InventoryContext<'a> {
    /// The inventory.
    pub loaded: &'a Loaded,
    /// The region that a run is about to leave, if that is decided: only what lives there is then warned of.
    pub leaving: Option<&'a str>,
}

/// Every rule for inventories.
const INVENTORY_RULES: &[fn(&InventoryContext<'_>, &mut Problems)] = &[
    inventory::regions_make_sense,
    inventory::members_stand_in_regions,
    inventory::hosts_and_urls_are_plain,
    inventory::tls_is_not_off_by_accident,
    inventory::references_resolve,
    inventory::groups_resolve,
    inventory::one_default_channel,
    inventory::commands_name_a_program,
    inventory::dependencies_live_elsewhere,
    tables::tables_are_names,
    tables::heartbeats_are_not_a_load,
    slots::slots_are_names,
    rejoin::a_rejoin_can_prove_its_direction,
    inventory::rehearsals_can_be_demanded,
    dns::names_end_with_a_dot,
    dns::times_to_live_are_whole_seconds,
    dns::targets_suit_the_type,
    dns::shares_make_a_whole,
];

/// Applies every rule to an inventory.
pub fn inventory(context: &InventoryContext<'_>, problems: &mut Problems) {
    for rule in INVENTORY_RULES {
        rule(context, problems);
    }
}
