//! `exec`: a command of the operator's own, with a look that tells whether it is done and an undo, if there are any.

use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::language::units::Period;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::scope::Scope;
use crate::world::exec::{Command, ENDED_WELL, Output};
use crate::world::postgres::Handover;
use crate::world::{Answer, Known, Reply, World, ready};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Runs a command.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Exec")]
pub struct Params {
    /// Program and arguments, never through a shell. Exit code 0: done; 75: nothing was done; anything else: unknown.
    pub command: Vec<String>,
    /// What it changes, in words: shown before it runs.
    pub effect: String,
    /// A command that only looks. Exit code 0: it is so; 1: it is not; anything else: unknown. Without it the exit code of
    /// `command` has to do as proof.
    #[serde(default)]
    pub look: Option<Vec<String>>,
    /// A command that takes it back; needs `look`, which then has to end with 1.
    #[serde(default)]
    pub undo: Option<Vec<String>>,
    /// Variables set for all of them.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of the operator's variables that they may see besides `PATH`, `HOME`, `LANG` and `TMPDIR`.
    #[serde(default)]
    pub pass: Vec<String>,
    /// A name under which messages of later steps may use the last line of its output: `${step.name}`.
    #[serde(default)]
    pub save: Option<String>,
    /// Limit for each of them; 60s if not given.
    #[serde(default)]
    pub timeout: Option<Period>,
}

/// A resolved command.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Exec {
    run: Command,
    look: Option<Command>,
    undo: Option<Command>,
    effect: String,
    region: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    save: Option<String>,
}

/// What the look said.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {
    /// Its end; `None` if there is no look.
    pub look: Option<Known<Output>>,
}

impl Exec {
    /// The command itself, its look and its undo.
    pub fn commands(&self) -> (&Command, Option<&Command>, Option<&Command>) {
        (&self.run, self.look.as_ref(), self.undo.as_ref())
    }

    fn last_line(output: &Output) -> String {
        let text = if output.stdout.trim().is_empty() { &output.stderr } else { &output.stdout };
        text.lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty())
            .unwrap_or_default()
            .chars()
            .take(200)
            .collect()
    }
}

/// Arguments as they would be typed.
fn typed(command: &Command) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    let quoted = |text: &String| match text.is_empty() || !text.chars().all(plain) {
        true => format!("'{}'", text.replace('\'', "'\\''")),
        false => text.clone(),
    };
    command.argv.iter().map(quoted).collect::<Vec<_>>().join(" ")
}

impl Kind for Exec {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "exec",
        summary: "Runs a command of your own, with a look that proves it and an undo if you give them.",
        changes: true,
        touches: "what the command touches; say it in `effect`",
        undo: "runs `undo`, if there is one",
        grants: &[],
        main: Main::None,
        place: Place::To,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        let bad = |message: &str| Problem::error(Code::BadValue, message);
        if params.effect.trim().is_empty() {
            return Err(bad("`effect` says in words what the command changes"));
        }
        if params.undo.is_some() && params.look.is_none() {
            return Err(bad("an `undo` needs a `look`: without one nobody can tell whether it worked"));
        }
        if let Some(name) = &params.save
            && let Err(rejected) = crate::language::name::Name::new(name)
        {
            return Err(bad(&rejected.to_string()));
        }
        let mut env = params.env;
        if let Some(name) = env.keys().find(|name| name.starts_with("MRCTL_")) {
            return Err(bad(&format!("{name} is set by mrctl")));
        }
        for (name, value) in [("FROM", scope.from), ("TO", scope.to), ("REGION", scope.region)] {
            env.insert(format!("MRCTL_{name}"), value.to_owned());
        }
        env.insert("MRCTL_MODE".into(), if scope.planned { "planned" } else { "unplanned" }.into());
        let timeout_ms = params.timeout.map_or(60_000, Period::millis);
        let command = |argv: Vec<String>| match argv.first().is_none_or(String::is_empty) {
            true => Err(bad("a command needs a program")),
            false => Ok(Command { argv, env: env.clone(), pass: params.pass.clone(), timeout_ms }),
        };
        Ok(Self {
            run: command(params.command)?,
            look: params.look.map(&command).transpose()?,
            undo: params.undo.map(&command).transpose()?,
            effect: params.effect,
            save: params.save,
            region: scope.region.to_owned(),
        })
    }

    fn title(&self) -> String {
        format!("Run {}: {}", self.run.argv.first().map_or("", String::as_str), self.effect)
    }

    fn effects(&self) -> Vec<Effect> {
        let class = if self.undo.is_some() { Class::Undoable } else { Class::ForwardOnly };
        let effect = Effect::of("run", class, Pace::new(self.run.timeout_ms.max(10_000), 2_000))
            // A command outlives an mrctl that is killed.
            .settles_within(self.run.timeout_ms);
        vec![if self.look.is_some() { effect } else { effect.proven_by_reply() }]
    }

    fn resources(&self) -> Vec<String> {
        Vec::new()
    }

    fn saved(&self, note: &str) -> Option<(String, String)> {
        let line = note.strip_prefix(ENDED_WELL)?.strip_prefix(": ").unwrap_or_default();
        self.save.as_ref().map(|name| (name.clone(), line.to_owned()))
    }

    fn observe<'a>(&'a self, _effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
        let Some(look) = &self.look else { return ready(Facts { look: None }) };
        let mut look = look.clone();
        look.env.insert("MRCTL_RUN".into(), sight.run.to_owned());
        Box::pin(async move { Facts { look: Some(sight.world.exec.look(&look).await) } })
    }

    fn judge(
        &self,
        _effect: &str,
        facts: &Facts,
        aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        let output = match &facts.look {
            None => return Judgement::not_reached("there is no look; its exit code will tell"),
            Some(Known::Unknown(why)) => return Judgement::unknown(format!("the look: {why}")),
            Some(Known::Known(output)) => output,
        };
        let line = Self::last_line(output);
        let evidence = if line.is_empty() { format!("the look ended with {}", output.code) } else { line };
        match (output.code, aim) {
            (0, Aim::Applied) | (1, Aim::Restored(_)) => Judgement::reached(evidence),
            (1, Aim::Applied) | (0, Aim::Restored(_)) => Judgement::not_reached(evidence),
            (code, _) => Judgement::unknown(format!("the look ended with {code}: {evidence}")),
        }
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a Facts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        world.exec.run(permit, &self.run)
    }

    fn undo<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a Facts,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        match &self.undo {
            Some(undo) => world.exec.run(permit, undo),
            None => ready(Reply::refused("there is no `undo`")),
        }
    }

    fn would(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        vec![format!("{} (for {}): {}", typed(&self.run), self.region, self.effect)]
    }

    fn substance(&self, _effect: &str, facts: &Facts) -> String {
        match &facts.look {
            Some(Known::Known(output)) => format!("the look ended with {}", output.code),
            Some(Known::Unknown(_)) | None => String::new(),
        }
    }

    fn by_hand(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        self.undo.iter().map(typed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;
    use crate::step::condition::Starts;
    use crate::step::testing::{at_once, permit};
    use crate::world::sim::Sim;
    use crate::world::sim::exec::Script;

    fn command(text: &str) -> Command {
        Command {
            argv: text.split(' ').map(str::to_owned).collect(),
            env: BTreeMap::new(),
            pass: Vec::new(),
            timeout_ms: 1_000,
        }
    }

    fn exec() -> Exec {
        Exec {
            run: command("lb drain"),
            look: Some(command("lb drained")),
            undo: Some(command("lb undrain")),
            effect: "Drains the load balancer".into(),
            save: Some("ticket".into()),
            region: "eu-west".into(),
        }
    }

    #[test]
    fn exit_codes_of_the_look_are_judged_for_both_aims() {
        let prior = Facts { look: None };
        let with = |code| Facts {
            look: Some(Known::Known(Output { code, stdout: "a\nweight 0\n".into(), stderr: String::new() })),
        };
        let cases =
            [(0, Standing::Reached, Standing::NotReached), (1, Standing::NotReached, Standing::Reached)];
        for (code, applied, restored) in cases {
            assert_eq!(exec().judge("run", &with(code), Aim::Applied, None).standing, applied);
            assert_eq!(exec().judge("run", &with(code), Aim::Restored(&prior), None).standing, restored);
        }
        for facts in [with(2), with(127), Facts { look: Some(Known::unknown("late")) }] {
            assert_eq!(exec().judge("run", &facts, Aim::Applied, None).standing, Standing::Unknown);
            assert_eq!(exec().judge("run", &facts, Aim::Restored(&prior), None).standing, Standing::Unknown);
        }
        assert_eq!(exec().judge("run", &with(0), Aim::Applied, None).evidence, "weight 0");
    }

    #[test]
    fn one_poll_looks_runs_and_takes_back() {
        let sim = Sim::new();
        let world = sim.world();
        let mark = || Some("drained".to_owned());
        sim.exec.script("lb drained", Script { asks: mark(), ..Script::default() });
        sim.exec.script("lb drain", Script { sets: mark(), ..Script::default() });
        sim.exec.script("lb undrain", Script { clears: mark(), ..Script::default() });
        let starts = Starts::default();
        let sight = Sight { world: &world, run: "run", starts: &starts };
        let exec = exec();
        let prior = at_once(exec.observe("run", sight));
        assert_eq!(exec.judge("run", &prior, Aim::Applied, None).standing, Standing::NotReached);
        at_once(exec.apply("run", &permit(false), &prior, None, "", &world));
        assert!(sim.exec.marked("drained"));
        let after = at_once(exec.observe("run", sight));
        assert_eq!(exec.judge("run", &after, Aim::Applied, None).standing, Standing::Reached);
        at_once(exec.undo("run", &permit(true), &prior, &world));
        let back = at_once(exec.observe("run", sight));
        assert_eq!(exec.judge("run", &back, Aim::Restored(&prior), None).standing, Standing::Reached);
    }

    #[test]
    fn a_dry_run_shows_the_command_as_it_would_be_typed() {
        let exec = Exec { run: command("lb set it's"), ..exec() };
        let sim = Sim::new();
        let lines = exec.would("run", &Facts { look: None }, &sim.world());
        assert_eq!(lines, ["lb set 'it'\\''s' (for eu-west): Drains the load balancer"]);
    }

    #[test]
    fn the_last_line_of_its_output_is_saved_under_the_name() {
        let saved = exec().saved("exit code 0: OPS-17");
        assert_eq!(saved, Some(("ticket".into(), "OPS-17".into())));
        assert_eq!(exec().saved("exit code 0").map(|(_, value)| value), Some(String::new()));
        assert_eq!(exec().saved("anything else"), None);
    }
}
