//! From runbook, inventory and parameters to the frozen plan.

use super::consent::consent;
use super::directory::InventoryDirectory;
use super::model::{
    Ask, AskKind, Drill, FORMAT, Mode, Objectives, OnFailure, Plan, PlannedEffect, Step, Watch,
};
use super::names::Names;
use super::values::values;
use super::writers;
use crate::error::Problems;
use crate::language::expression::Unit;
use crate::language::interpolate::{interpolate, interpolate_text};
use crate::runbook::discovery::Loaded;
use crate::runbook::model::{self, Runbook};
use crate::step::condition::Condition;
use crate::step::contract::Found;
use crate::step::scope::{Directory, Scope};
use crate::step::table;
use std::collections::{BTreeMap, BTreeSet};

/// What a plan is made from.
pub struct Request<'a> {
    /// The runbook.
    pub runbook: &'a Runbook,
    /// SHA-256 of its text, hexadecimal.
    pub runbook_sha256: String,
    /// The inventory.
    pub inventory: &'a Loaded,
    /// SHA-256 of its texts, hexadecimal.
    pub inventory_sha256: String,
    /// Source region.
    pub from: &'a str,
    /// Target region.
    pub to: &'a str,
    /// Mode.
    pub mode: Mode,
    /// Drill.
    pub drill: Drill,
    /// Parameters as given.
    pub parameters: &'a BTreeMap<String, String>,
}

/// How long between tries where the runbook does not say. Milliseconds.
const RETRY_EVERY: u64 = 2_000;
/// How often `on_failure: retry` tries. Its deadline is the step's.
const RETRIES: u32 = 5;

/// Makes the plan, or adds what is wrong.
pub fn build(request: &Request<'_>, problems: &mut Problems) -> Option<Plan> {
    let before = problems.errors();
    let values = values(request, problems);
    let builder = Builder {
        request,
        values: &values,
        types: request.runbook.parameters.iter().map(|(name, p)| (name.clone(), p.kind.unit())).collect(),
        directory: InventoryDirectory(&request.inventory.inventory),
        outputs: outputs(request.runbook),
    };
    let plan = builder.plan(problems);
    (problems.errors() == before).then_some(plan)
}

pub(super) struct Builder<'a> {
    pub(super) request: &'a Request<'a>,
    values: &'a BTreeMap<String, String>,
    /// What the values of parameters are in conditions.
    types: BTreeMap<String, Unit>,
    pub(super) directory: InventoryDirectory<'a>,
    /// What steps save, as `step.name`.
    outputs: BTreeSet<String>,
}

/// What steps save under a name, for messages.
fn outputs(runbook: &Runbook) -> BTreeSet<String> {
    let saved = runbook.steps().filter_map(|step| {
        let name = step.body.get("save")?.as_text()?;
        (step.kind.value == "exec").then(|| format!("{}.{name}", step.id.value))
    });
    saved.collect()
}

impl Builder<'_> {
    fn names<'n>(&'n self, region: &'n str, message: bool) -> Names<'n> {
        Names {
            from: self.request.from,
            to: self.request.to,
            region,
            values: self.values,
            outputs: &self.outputs,
            inventory: &self.request.inventory.inventory,
            message,
        }
    }

    fn scope<'s>(&'s self, region: &'s str) -> Scope<'s> {
        Scope {
            from: self.request.from,
            to: self.request.to,
            region,
            planned: self.request.mode == Mode::Planned,
            span: None,
            values: self.values,
            types: &self.types,
            directory: &self.directory,
        }
    }

    fn text(&self, template: &model::Template, problems: &mut Problems) -> String {
        interpolate_text(&template.value, template.span, &self.names(self.request.to, false), problems)
            .unwrap_or_else(|| template.value.clone())
    }

    pub(super) fn condition(
        &self,
        condition: &model::Condition,
        region: &str,
        problems: &mut Problems,
    ) -> Option<Condition> {
        let text = &condition.text;
        Condition::resolve(&text.value, &self.scope(region), text.span)
            .map_err(|problem| problems.push(problem))
            .ok()
    }

    fn plan(&self, problems: &mut Problems) -> Plan {
        let request = self.request;
        let runbook = request.runbook;
        let mut sections = Vec::new();
        let mut steps = Vec::new();
        let mut parallel = 0;
        for (index, section) in runbook.sections.iter().enumerate() {
            sections
                .push(section.title.as_ref().map_or_else(String::new, |title| self.text(title, problems)));
            let first = steps.len();
            for item in &section.items {
                let together = match item {
                    model::Item::Step(_) => None,
                    model::Item::Parallel { .. } => {
                        parallel += 1;
                        Some(parallel)
                    }
                };
                for step in item.steps() {
                    steps.extend(self.step(step, index, together, problems));
                }
            }
            for step in section.items.iter().flat_map(model::Item::steps) {
                steps.extend(self.ways_back(step, index, problems));
            }
            if let Some(confirm) = &section.confirm {
                let title = sections.last().cloned().unwrap_or_default();
                if let Some(step) = steps[first..].iter_mut().find(|step| step.skipped.is_none()) {
                    let ask = self.ask(confirm, &step.id, &format!("Go on with: {title}?"), problems);
                    // The step may have a confirmation of its own: an answer to one is none to the other.
                    step.questions
                        .insert(0, Ask { id: format!("{}/section", step.id), section: true, ..ask });
                }
            }
        }
        consent(&mut steps, request.to, request.mode);
        writers::reachable(&steps, request.to, &self.directory, runbook, problems);
        let watches = runbook.watch.iter().filter_map(|watch| self.watch(watch, &steps, problems)).collect();
        let mut resources = BTreeSet::new();
        let mut kinds = BTreeMap::new();
        let taken_part = |step: &&Step| step.skipped.is_none() || step.takes_back.is_some();
        for step in steps.iter().filter(taken_part) {
            if let Some(info) = table::info(&step.kind) {
                kinds.insert(step.kind.clone(), info.version);
            }
            for effect in &step.effects {
                resources.extend(effect.action.resources());
            }
        }
        let named = |kind: &str| {
            let prefix = format!("{kind}/");
            let names: Vec<String> = resources
                .iter()
                .filter_map(|resource| resource.strip_prefix(&prefix))
                .map(String::from)
                .collect();
            names
        };
        let clusters = named("postgres")
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.directory.cluster(&name)?.regions)))
            .collect();
        let records = named("dns")
            .into_iter()
            .filter_map(|name| Some((name.clone(), self.directory.record(&name)?.servers)))
            .collect();
        Plan {
            format: FORMAT,
            runbook: runbook.name.value.clone(),
            title: self.text(&runbook.title, problems),
            environment: request.inventory.inventory.name.clone(),
            runbook_sha256: request.runbook_sha256.clone(),
            inventory_sha256: request.inventory_sha256.clone(),
            from: request.from.to_string(),
            to: request.to.to_string(),
            mode: request.mode,
            drill: request.drill,
            parameters: self
                .values
                .iter()
                .filter(|(name, _)| runbook.parameters.contains_key(*name))
                .map(|(n, v)| (n.clone(), v.clone()))
                .collect(),
            objectives: Objectives {
                rto_ms: runbook.objectives.rto.map(|rto| rto.millis()),
                rpo_ms: runbook.objectives.rpo.map(|rpo| rpo.millis()),
                write_gap_ms: runbook.objectives.write_gap.millis(),
            },
            roles: runbook.roles.iter().map(|(name, role)| (name.clone(), role.duty.clone())).collect(),
            sections,
            steps,
            watches,
            resources: resources.into_iter().collect(),
            clusters,
            records,
            identity: BTreeMap::new(),
            kinds,
        }
    }

    fn watch(&self, watch: &model::Watch, steps: &[Step], problems: &mut Problems) -> Option<Watch> {
        let index = |id: &str| steps.iter().position(|step| step.id == id);
        let policy = |what: model::OnBreach| match what {
            model::OnBreach::Pause => OnFailure::Pause,
            model::OnBreach::RollBack => OnFailure::RollBack,
            model::OnBreach::Warn => OnFailure::Warn,
        };
        Some(Watch {
            id: watch.id.value.clone(),
            ok: self.condition(&watch.ok, self.request.to, problems)?,
            for_ms: watch.patience.millis(),
            first: index(&watch.during.first.value)?,
            last: index(&watch.during.last.value)?,
            on_breach: policy(watch.on_breach),
            on_no_data: policy(watch.on_no_data),
        })
    }

    fn ask(&self, confirm: &model::Confirm, step: &str, otherwise: &str, problems: &mut Problems) -> Ask {
        let text = confirm.ask.as_ref().map_or_else(|| otherwise.to_string(), |ask| self.text(ask, problems));
        let kind = match &confirm.typed {
            Some(typed) => AskKind::Typed(self.text(typed, problems)),
            None => AskKind::Confirm,
        };
        Ask {
            id: format!("{step}/confirm"),
            kind,
            role: confirm.role.as_ref().map_or_else(String::new, |role| role.value.clone()),
            text,
            within_ms: confirm.within.map_or(0, |within| within.millis()),
            section: false,
        }
    }

    /// The steps that take another one back, in their order. On the way forward they are skipped; a way back asks nobody, and
    /// finding its end reached already is as good.
    fn ways_back(&self, step: &model::Step, section: usize, problems: &mut Problems) -> Vec<Step> {
        let model::Rollback::Steps(steps) = &step.policy.rollback else { return Vec::new() };
        let mut ways = Vec::new();
        for way in steps {
            let Some(mut way) = self.step(way, section, None, problems) else { continue };
            // One that is not part of this run (`only`, `when`) takes nothing back.
            if way.skipped.is_some() {
                continue;
            }
            way.skipped = Some(format!("only to take {} back", step.id.value));
            way.takes_back = Some(step.id.value.clone());
            for planned in &mut way.effects {
                planned.effect.found = Found::Accept;
            }
            ways.push(way);
        }
        ways
    }

    fn step(
        &self,
        step: &model::Step,
        section: usize,
        parallel: Option<u32>,
        problems: &mut Problems,
    ) -> Option<Step> {
        let info = table::info(&step.kind.value)?;
        let policy = &step.policy;
        let id = step.id.value.clone();
        let skipped = self.skipped(step, problems);
        let regions = self.regions(step, info);
        let mut actions = Vec::new();
        for region in &regions {
            // Message text may name what is known only while running; the kind fills it in when it sends.
            let names = self.names(region, info.name == "notify");
            let body = interpolate(&step.body, &names, problems);
            let found =
                table::resolve(info, &body, std::slice::from_ref(region), &self.scope(region), problems);
            let prefix = if regions.len() > 1 { format!("{region}/") } else { String::new() };
            actions.extend(found.into_iter().map(|(name, action)| (format!("{name}{prefix}"), action)));
        }
        let mut effects = Vec::new();
        let mut questions = Vec::new();
        if let Some(confirm) = &policy.confirm {
            let title = step.title.as_ref().map_or_else(
                || actions.first().map_or_else(|| id.clone(), |(_, action)| action.title()),
                |title| self.text(title, problems),
            );
            questions.push(self.ask(confirm, &id, &format!("{title}?"), problems));
        }
        for (prefix, action) in &actions {
            for mut effect in action.effects() {
                if let Some(timeout) = &policy.timeout {
                    effect.pace.within_ms = timeout.value.millis();
                }
                effects.push(PlannedEffect {
                    name: format!("{prefix}{}", effect.id),
                    action: action.clone(),
                    effect,
                });
            }
            questions.extend(action.questions().into_iter().map(|question| Ask::item(&id, question)));
        }
        let title = match (&step.title, actions.as_slice()) {
            (Some(title), _) => self.text(title, problems),
            (None, [(_, only)]) => only.title(),
            (None, [(_, first), rest @ ..]) => format!("{} (and {} more)", first.title(), rest.len()),
            (None, []) => id.clone(),
        };
        let (mut retries, mut retry_every_ms) =
            policy.retry.map_or((0, RETRY_EVERY), |retry| (retry.times, retry.every.millis()));
        let mut on = |policy: Option<model::OnFailure>| match policy {
            None => OnFailure::Default,
            Some(model::OnFailure::Stop) => OnFailure::Stop,
            Some(model::OnFailure::RollBack) => OnFailure::RollBack,
            Some(model::OnFailure::Pause) => OnFailure::Pause,
            Some(model::OnFailure::Warn) => OnFailure::Warn,
            Some(model::OnFailure::Retry) => {
                retries = retries.max(RETRIES);
                retry_every_ms = retry_every_ms.max(1);
                OnFailure::Pause
            }
        };
        let on_failure = on(policy.on_failure.as_ref().map(|policy| policy.value));
        let on_unknown = on(policy.on_unknown.as_ref().map(|policy| policy.value));
        Some(Step {
            id,
            section,
            title,
            kind: step.kind.value.clone(),
            parallel,
            skipped,
            takes_back: None,
            require: policy
                .require
                .as_ref()
                .and_then(|require| self.condition(require, self.request.to, problems)),
            questions,
            effects,
            on_failure,
            on_unknown,
            // A message never blocks a run.
            best_effort: policy.is_best_effort() || actions.iter().any(|(_, action)| action.best_effort()),
            temporary: policy.is_temporary(),
            retries,
            retry_every_ms,
            keep_because: match &policy.rollback {
                model::Rollback::None { because } => Some(because.value.clone()),
                model::Rollback::Auto | model::Rollback::Steps(_) => None,
            },
            marks: policy.marks.as_ref().map(|marks| marks.value.clone()),
        })
    }
}
