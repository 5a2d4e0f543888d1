//! The events of `--output json`: one table, from which `docs/reference/events.md` is made and against which the writer is tested.

/// Version of the events. Fields and events are only added within one; a reader ignores what it does not know.
pub const SCHEMA: u32 = 1;

/// A field of an event.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its JSON type, and `null` if it can be.
    pub kind: &'static str,
    /// What it says.
    pub meaning: &'static str,
}

/// An event.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    /// The value of `event`.
    pub name: &'static str,
    /// When it is written.
    pub when: &'static str,
    /// Whether it is about a step: then it names it.
    about_step: bool,
    own: &'static [Field],
}

impl Event {
    /// Its own fields, besides the common ones.
    pub fn fields(&self) -> impl Iterator<Item = &'static Field> {
        let named: &'static [Field] = if self.about_step { &STEP } else { &[] };
        named.iter().chain(self.own)
    }
}

const fn event(name: &'static str, when: &'static str, own: &'static [Field]) -> Event {
    Event { name, when, about_step: false, own }
}

const fn of_step(name: &'static str, when: &'static str, own: &'static [Field]) -> Event {
    Event { name, when, about_step: true, own }
}

const fn f(name: &'static str, kind: &'static str, meaning: &'static str) -> Field {
    Field { name, kind, meaning }
}

/// What names a step.
const STEP: [Field; 3] = [
    f("step", "string", "identity of the step in the runbook; empty if the run itself asks"),
    f("title", "string", "title of the step"),
    f("section", "string", "title of its section; empty if the runbook has none"),
];
const EFFECT: Field = f("effect", "string", "name of the effect within the step");
const ATTEMPT: Field =
    f("attempt", "integer", "number of the attempt, from 1, over the whole life of the run");
const UNDO: Field = f("undo", "boolean", "whether it takes the effect back");
const BY: Field = f("by", "string", "who");
const REASON: Field = f("reason", "string", "why");
const DONE: Field = f("done", "integer", "steps that need nothing more");
const TOTAL: Field = f("total", "integer", "steps in all, without those that are skipped");
const WORLD: Field =
    f("world", "string", "the world line: who takes writes, what the old primary is, where traffic goes");

/// Fields that every event has.
pub const COMMON: &[Field] = &[
    f("schema", "integer", "version of the events: 1"),
    f("event", "string", "name of the event"),
    f(
        "seq",
        "integer",
        "number of the journal's record that it comes from; for `progress` and `waiting`, of the last one",
    ),
    f("at", "string", "time in UTC, RFC 3339 with milliseconds, on the clock of the host that runs mrctl"),
    f("run", "string", "identity of the run"),
];

/// All events.
pub const EVENTS: &[Event] = &[
    event(
        "run_created",
        "The run exists; nothing has been changed.",
        &[
            f("plan_digest", "string", "SHA-256 of the plan: what an approval refers to"),
            f("runbook", "string", "name of the runbook"),
            f("run_title", "string", "title of the runbook, with names filled in"),
            f("environment", "string", "name of the environment, from the inventory"),
            f("from", "string", "source region"),
            f("to", "string", "target region"),
            f("mode", "string", "`planned` or `unplanned`"),
            f("drill", "string", "`real` or the kind of drill"),
            TOTAL,
        ],
    ),
    event(
        "rehearsed",
        "Whether what the run is about to do was rehearsed.",
        &[
            f("certificate", "string or null", "digest of the certificate that covers it; `null`: none does"),
            f("age_ms", "integer or null", "how old it was when the run was made, in milliseconds"),
            f("faults", "integer or null", "faults in one schedule up to which everything was tried"),
            f("version", "string or null", "version of mrctl that rehearsed"),
            f("start", "string or null", "where the rehearsal began: `inventory` or `live`"),
            f("accepted", "array of strings or null", "steps that it did not cover, accepted by name"),
            f("why", "string", "what there is instead; empty if it is covered"),
            f("required", "boolean", "whether the inventory demands a rehearsal"),
            f("waived", "string", "why a person went on without the one that is demanded; empty if none did"),
        ],
    ),
    event(
        "run_started",
        "A process begins to drive the run, for the first time or after a resume.",
        &[
            f("resumed", "boolean", "whether the run had been driven before"),
            f("version", "string", "version of mrctl"),
            f("operator", "string", "who runs it"),
            f("host", "string", "on which host"),
            f("pid", "integer", "process number"),
            f("terminal", "boolean", "whether a person can be asked"),
            f("choice", "string", "`continue` or `roll_back`"),
            f("reason", "string", "why it was resumed; may be empty"),
            f("torn", "integer", "bytes of an unfinished last line of the journal that were cut"),
        ],
    ),
    of_step(
        "step_started",
        "A step begins. Derived: shares its `seq` with the record that made it so.",
        &[DONE, TOTAL],
    ),
    of_step(
        "step_required",
        "The `require` of a step was evaluated.",
        &[
            f("holds", "boolean or null", "whether it holds; `null`: cannot be told"),
            f("evidence", "string", "what was seen"),
        ],
    ),
    of_step(
        "step_looked",
        "A look was judged.",
        &[
            EFFECT,
            f("purpose", "string", "`before`, `after`, `undo` or `undone`"),
            f("standing", "string", "`reached`, `not_reached`, `moving`, `blocked` or `unknown`"),
            f("evidence", "string", "one line, with the numbers that were seen"),
            f(
                "handover",
                "string or null",
                "how the handover that it proved was made: `soft`, `shutdown` or `loss_accepted`",
            ),
            f("remark", "string or null", "`foreign_change` or `divergence`"),
        ],
    ),
    of_step(
        "surprised",
        "A look showed what no rehearsal can show: before the last promotion the run stops for it.",
        &[
            EFFECT,
            f("purpose", "string", "as of `step_looked`"),
            f("rule", "string", "the rule that is broken; see the reference of the rehearsal"),
            f("place", "string", "the server or record"),
            f("what", "string", "what is wrong"),
            f("kept", "string", "file beside the journal that holds the case"),
        ],
    ),
    of_step(
        "waiting",
        "A question is open at the terminal; `at` says since when. It ends with `answered`, or is withdrawn by `signalled`, `expired` or `turned`. Never journalled.",
        &[
            f("question", "string", "identity of the question, as in `answered`"),
            f("kind", "string", "`item`, `confirm`, `consent` (the way to a pivot), `adopt` or `paused`"),
            f("role", "string", "role that should answer; may be empty"),
            f("text", "string", "the question"),
            f("facts", "array of strings", "facts that were read for it"),
            f("answers", "array of strings", "what can be typed at the terminal"),
            f(
                "beforehand",
                "array of strings",
                "options that would have answered it, each by itself; none for what is only decided then and there",
            ),
        ],
    ),
    event(
        "answered",
        "A question was answered by a person, by an approval given beforehand, or by nobody in time.",
        &[
            f(
                "question",
                "string",
                "identity of the question: `step/question`, `adopt:step/effect` or `paused:n`",
            ),
            f("text", "string", "the question; empty for the run's own"),
            f("yes", "boolean", "whether it is a yes"),
            f("by", "string", "who"),
            f(
                "how",
                "string",
                "`terminal`, `approve`, `yes`, `absent` (in time), or `gone`: the terminal was closed",
            ),
            f("choice", "string or null", "after a pause: `continue`, `roll_back` or `leave`"),
            f("reason", "string", "why a pause is gone on from, where that takes a reason; empty otherwise"),
        ],
    ),
    of_step(
        "intent",
        "Something is about to be changed; this is on disk before it is.",
        &[EFFECT, ATTEMPT, UNDO, f("class", "string", "`undoable`, `pivot` or `forward_only`")],
    ),
    of_step(
        "reply",
        "The call of a change was answered, or was not. It proves nothing, except a refusal.",
        &[
            EFFECT,
            ATTEMPT,
            UNDO,
            f("said", "string", "`acknowledged`, `more`, `refused` or `lost`"),
            f("text", "string", "what it said, how far it is, or why"),
        ],
    ),
    of_step(
        "step_ended",
        "A step settled. Derived: shares its `seq` with the record that made it so.",
        &[
            f("state", "string", "`done`, `found`, `warned`, `failed` or `unknown`"),
            f("evidence", "string", "what was seen last, or why"),
            f("elapsed_ms", "integer or null", "milliseconds since it began"),
            DONE,
            TOTAL,
        ],
    ),
    of_step(
        "retrying",
        "A failed step is tried again.",
        &[f("try", "integer", "which try comes now, from 2")],
    ),
    event(
        "expired",
        "The gap clock ran out before the pivot was armed.",
        &[f("allowed_ms", "integer", "milliseconds that were allowed")],
    ),
    event(
        "breached",
        "A watch was untrue, or had no data, for too long.",
        &[
            f("watch", "string", "identity of the watch"),
            f("silent", "boolean", "whether it was for lack of data"),
            f("evidence", "string", "what was seen"),
        ],
    ),
    event(
        "signalled",
        "The process was asked to stop.",
        &[f("signal", "string", "`SIGINT`, `SIGTERM` or `SIGHUP`")],
    ),
    event(
        "lock_lost",
        "A lock was lost and somebody else has it; a call was not made because of it.",
        &[
            f("what", "string", "the member whose lock it was"),
            f("step", "string", "step whose call was not made"),
            f("effect", "string", "its effect"),
        ],
    ),
    event(
        "attested",
        "A person vouches that a member is fenced or destroyed: a promotion there cannot come about any more, and its silence is not held against a way back.",
        &[
            f("cluster", "string", "cluster"),
            f("region", "string", "region of the member"),
            f("how", "string", "`fenced` or `destroyed`"),
            f("by", "string", "who"),
            f("reason", "string", "how they know"),
        ],
    ),
    of_step(
        "handled",
        "A person decided about one step of a run that stood still, with `mrctl step`.",
        &[
            f("how", "string", "`retry`, `done` (by hand) or `skip`"),
            BY,
            REASON,
            f("looked", "boolean", "whether anything was looked at; else it is their word alone"),
            f("evidence", "string", "what was seen"),
        ],
    ),
    of_step("waived", "A person passes a check, should it be red; `turned` says what was.", &[BY, REASON]),
    event(
        "switched",
        "A planned run is taken over as an unplanned one, from where it stands. From here the steps are those of the new plan.",
        &[
            f("from_plan", "string", "digest of the plan that counted until now"),
            f("plan", "string", "digest of the plan that counts"),
            f("mode", "string", "`unplanned`"),
            f("by", "string", "who"),
            f("reason", "string", "why"),
        ],
    ),
    event(
        "turned",
        "The run turns.",
        &[
            f("to", "string", "`roll_back`, `pause`, `finish`, `refuse` or `warn`"),
            f("step", "string", "step that caused it; empty if none did"),
            f("unknown", "boolean", "whether something could not be established, as opposed to known bad"),
            f("why", "string", "why"),
        ],
    ),
    event(
        "surveyed",
        "Everything was looked at before an ending.",
        &[
            WORLD,
            f("notes", "array of strings", "what the ending must mention"),
            f("frozen", "array of strings", "data sets from which writes are frozen"),
            f("diverged", "array of strings", "data sets that took commits on both sides"),
            f("unknown", "boolean", "whether anything could not be seen"),
            f(
                "promoted",
                "array of strings",
                "data sets whose promotion is not proved by this run, and whose target is a primary by now",
            ),
            f(
                "waiting",
                "array of strings",
                "data sets that take writes, and of which a freeze of this run may be written and not loaded",
            ),
        ],
    ),
    event(
        "ended",
        "The process ends with a verdict.",
        &[
            f("verdict", "string", "one word; see the exit codes"),
            f("exit_code", "integer", "what the process ends with"),
            f("open", "boolean", "whether the run is still open"),
            f("why", "string", "why, in one line; empty if all went well and nothing was decided by hand"),
            WORLD,
            f(
                "elapsed_ms",
                "integer or null",
                "milliseconds since the run was created; null if the clock was set back meanwhile",
            ),
            f(
                "write_gap_ms",
                "integer or null",
                "from the first freeze's intent to the last promotion's proof, or to the proof that the freeze was taken back; `null`: nothing was frozen, or it still is",
            ),
            f(
                "frozen_since",
                "string or null",
                "when writes were stopped, if this run has not let them go on",
            ),
            f(
                "data_lost",
                "string or null",
                "what promotions lost of what was committed: `nothing`, `accepted` (by a person), `unknown`; null if nothing was promoted",
            ),
            f(
                "counted",
                "object",
                "by data set, what heartbeats counted of what was accepted as lost: `heartbeats` and `transactions` (each `least` and `most`), `bytes`, `from_ms`, `until_ms`, `asked_ms` (Unix, milliseconds); what came after `until_ms` is not counted",
            ),
            f(
                "service_restored_ms",
                "integer or null",
                "from the incident's declaration (`--since`), else from the beginning, to the step that marks `service_restored`",
            ),
            f("declared", "string or null", "when the incident was declared, if `--since` said so"),
            f(
                "moments",
                "array of objects",
                "`name` (`begun`, `decided`, `writes_stopped`, `promoted`, `first_write`, `traffic_moved`, `service_restored`), `after_ms` since the declaration, else the beginning (null if the clock was set back meanwhile), and `record`, the number of the record that proves it",
            ),
            f("by_hand", "array of strings", "decisions of people about steps, with who and why"),
            f(
                "standing",
                "array of strings",
                "changes of this run that stand or may stand, as `step/effect`",
            ),
            f(
                "take_back",
                "array of objects or null",
                "`change` (`step/effect`) and `commands`: how what stands is taken back by hand, where that does no harm; null where it is told from the journal alone",
            ),
            f("next", "array of strings", "commands that make sense now"),
        ],
    ),
    event(
        "abandoned",
        "A person closed the run as it is.",
        &[f("operator", "string", "who"), f("reason", "string", "why"), WORLD],
    ),
    of_step(
        "progress",
        "Something moves. Never journalled; at most one a second for each effect, the rest is dropped.",
        &[EFFECT, f("evidence", "string", "what is seen now")],
    ),
];
