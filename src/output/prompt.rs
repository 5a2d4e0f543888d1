//! Questions to the person at the terminal.

use super::given::Approvals;
use super::input::{Input, Typed};
use super::meaning::{Meaning, meaning, reason};
use super::paint::{Text, Tone, wrap};
use super::streams::{Output, Style};
use super::terminal::Desk;
use crate::engine::driver::Reader;
use crate::engine::going_on::GoingOn;
use crate::engine::record::Choice;
use crate::engine::{Answered, Asked, AskedKind, Person};
use crate::plan::{AskKind, Plan};
use crate::world::Answer;
use std::collections::BTreeMap;
use std::rc::Rc;

/// How often a wrong word is asked again before it counts as no.
const TRIES: usize = 5;

/// The person at the terminal. Approvals given beforehand answer what they cover, except consent to a pivot: that is typed.
pub struct AtTerminal {
    desk: Rc<dyn Desk>,
    reader: Option<Rc<dyn Reader>>,
    input: Input,
    approvals: Approvals,
    operator: String,
    environment: String,
    place: String,
    roles: BTreeMap<String, String>,
    style: Style,
    width: usize,
}

impl AtTerminal {
    /// The person who runs mrctl. `desk`: where they read.
    pub fn new(
        plan: &Plan,
        desk: Rc<dyn Desk>,
        input: Input,
        approvals: Approvals,
        operator: String,
        output: &Output,
    ) -> Self {
        Self {
            desk,
            reader: None,
            input,
            approvals,
            operator,
            environment: plan.environment.clone(),
            place: format!("{} → {} · {}", plan.from, plan.to, plan.mode),
            roles: plan.roles.clone(),
            style: output.style,
            width: output.width,
        }
    }

    /// Tells readers when a question waits: whoever reads the events does not see the terminal.
    #[must_use]
    pub fn telling(mut self, reader: Rc<dyn Reader>) -> Self {
        self.reader = Some(reader);
        self
    }

    async fn put(&self, asked: &Asked) -> Answered {
        if let Some(how) = self.approvals.covers(asked) {
            return self.answered(true, how, Choice::Leave);
        }
        let turn = self.input.turn().await;
        let mut held = Held::new(&*self.desk);
        for line in self.question(asked) {
            held.desk.write(&format!("{}\n", line.paint(self.style)));
        }
        // Only now can the question be read: what was typed before was not an answer to it.
        turn.discard();
        if let Some(reader) = &self.reader {
            reader.waiting(asked);
        }
        let mut tries = TRIES;
        // Going on was chosen, and takes a reason.
        let mut why = false;
        loop {
            let invitation: Vec<String> =
                self.invitation(asked, why).into_iter().map(|line| line.paint(self.style)).collect();
            held.desk.write(&format!("{} ", invitation.join("\n")));
            held.open = true;
            let typed = turn.line().await;
            held.open = false;
            let meaning = match typed {
                Typed::Line(line) if why => match reason(&asked.kind, &line) {
                    Ok(reason) => {
                        return Answered { reason, ..self.answered(true, "terminal", Choice::Continue) };
                    }
                    Err(meaning) => meaning,
                },
                Typed::Line(line) => meaning(&asked.kind, &line),
                Typed::Pasted => {
                    turn.discard();
                    Meaning::Again("several lines came at once; please type the answer".into())
                }
                Typed::Gone => {
                    held.desk.write("\n");
                    return self.answered(false, "gone", Choice::Leave);
                }
            };
            match meaning {
                Meaning::Yes => return self.answered(true, "terminal", Choice::Leave),
                Meaning::No => return self.answered(false, "terminal", Choice::Leave),
                Meaning::Chosen(Choice::Continue)
                    if matches!(asked.kind, AskedKind::Paused { going_on: GoingOn::WithReason, .. }) =>
                {
                    why = true;
                }
                Meaning::Chosen(choice) => {
                    return self.answered(choice != Choice::Leave, "terminal", choice);
                }
                Meaning::Again(why) => {
                    tries -= 1;
                    if tries == 0 {
                        let line = Text::of(Tone::Warn, format!("    {why}; taken as no"));
                        held.desk.write(&format!("{}\n", line.paint(self.style)));
                        return self.answered(false, "terminal", Choice::Leave);
                    }
                    let line = Text::of(Tone::Warn, format!("    {why}"));
                    held.desk.write(&format!("{}\n", line.spelled(self.style).paint(self.style)));
                }
            }
        }
    }

    fn answered(&self, yes: bool, how: &str, choice: Choice) -> Answered {
        let by = if how == "gone" { String::new() } else { self.operator.clone() };
        Answered { yes, by, how: how.to_string(), choice, reason: String::new() }
    }

    /// The question with the facts that were read for it. A line of a checklist needs no more than itself.
    fn question(&self, asked: &Asked) -> Vec<Text> {
        let room = self.width.clamp(20, 100).saturating_sub(4);
        let mark = |index: usize| if index == 0 { "  ? " } else { "    " };
        let mut lines: Vec<Text> = wrap(&asked.text, room, 8, self.style)
            .into_iter()
            .enumerate()
            .map(|(index, line)| Text::of(Tone::Warn, mark(index)).and(Tone::Strong, line))
            .collect();
        let item = asked.kind == AskedKind::Planned(AskKind::Item);
        if !asked.role.is_empty() {
            let what = self.roles.get(&asked.role).map(|what| format!(" ({what})")).unwrap_or_default();
            lines.extend(self.fact(&format!("for {}{what}", asked.role), room));
        }
        if !item {
            let place = Text::of(Tone::Plain, "    ")
                .and(Tone::Strong, &self.environment)
                .plain(format!(" · {}", self.place));
            lines.push(place.spelled(self.style));
            for fact in &asked.facts {
                lines.extend(self.fact(fact, room));
            }
        }
        lines
    }

    fn fact(&self, text: &str, room: usize) -> Vec<Text> {
        wrap(text, room, 4, self.style)
            .into_iter()
            .map(|line| Text::of(Tone::Plain, "    ").plain(line))
            .collect()
    }

    /// What can be typed; with room for the answer behind it.
    fn invitation(&self, asked: &Asked, why: bool) -> Vec<Text> {
        let mut longest = 12;
        let text = match &asked.kind {
            AskedKind::Paused { .. } if why => "why is going on right? type a reason:".to_string(),
            AskedKind::Planned(AskKind::Item) => "done? y or n:".to_string(),
            AskedKind::Planned(AskKind::Confirm) => "go? yes or no:".to_string(),
            AskedKind::Planned(AskKind::Typed(word)) => {
                longest = word.chars().count().max(3) + 2;
                format!("to go on, type {word}; to stop, type no:")
            }
            AskedKind::Adopt => "type adopt or stop:".to_string(),
            AskedKind::Paused { going_on: GoingOn::NotHere, can_roll_back: true } => {
                "type roll back or leave:".to_string()
            }
            AskedKind::Paused { going_on: GoingOn::NotHere, can_roll_back: false } => {
                "type leave:".to_string()
            }
            AskedKind::Paused { can_roll_back: true, .. } => "type continue, roll back or leave:".to_string(),
            AskedKind::Paused { can_roll_back: false, .. } => "type continue or leave:".to_string(),
        };
        let room = self.width.clamp(20, 100).saturating_sub(4 + longest).max(12);
        let lines = wrap(&text, room, 8, self.style).into_iter();
        lines.map(|line| Text::of(Tone::Plain, "    ").and(Tone::Strong, line)).collect()
    }
}

impl Person for AtTerminal {
    fn ask<'a>(&'a self, asked: &'a Asked) -> Answer<'a, Answered> {
        Box::pin(self.put(asked))
    }
}

/// Holds the desk while a question is open; if it is withdrawn, says so.
struct Held<'a> {
    desk: &'a dyn Desk,
    open: bool,
}

impl<'a> Held<'a> {
    fn new(desk: &'a dyn Desk) -> Self {
        desk.hold();
        Self { desk, open: false }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if self.open {
            self.desk.write("\n    no longer asked\n");
        }
        self.desk.release();
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample::plan;
    use super::*;
    use std::cell::RefCell;
    use std::io::Write;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    #[derive(Default)]
    struct Paper(RefCell<String>);

    impl Desk for Paper {
        fn hold(&self) {
            self.0.borrow_mut().push_str("<hold>\n");
        }
        fn write(&self, text: &str) {
            self.0.borrow_mut().push_str(text);
        }
        fn release(&self) {
            self.0.borrow_mut().push_str("<release>\n");
        }
    }

    fn asked(kind: AskedKind) -> Asked {
        Asked {
            id: "freeze/consent".into(),
            step: "freeze".into(),
            role: "commander".into(),
            text: "Move orders to us-east? Writes stop until it is promoted.".into(),
            facts: vec!["eu-west is primary, us-east follows 0.2 s behind".into()],
            kind,
        }
    }

    fn typed() -> AskedKind {
        AskedKind::Planned(AskKind::Typed("us-east".into()))
    }

    fn person(approvals: Approvals) -> (UnixStream, Rc<Paper>, AtTerminal) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let desk = Rc::new(Paper::default());
        let output = Output::captured().0;
        let person = AtTerminal::new(
            &plan(),
            desk.clone(),
            Input::new(theirs.into()),
            approvals,
            "alice".into(),
            &output,
        );
        (ours, desk, person)
    }

    /// Asks, and types each line when the invitation for it has appeared.
    fn converse(kind: AskedKind, lines: &[&str]) -> (Answered, String) {
        let (mut ours, desk, person) = person(Approvals::default());
        let asked = asked(kind);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let answered = runtime.block_on(async {
            let mut answer = person.ask(&asked);
            for (index, line) in lines.iter().enumerate() {
                let mut pending = Duration::from_secs(60);
                while desk.0.borrow().matches(": ").count() <= index && !pending.is_zero() {
                    let step = Duration::from_millis(5);
                    if let Ok(early) = tokio::time::timeout(step, &mut answer).await {
                        return early;
                    }
                    pending -= step;
                }
                ours.write_all(line.as_bytes()).unwrap();
            }
            tokio::time::timeout(Duration::from_secs(60), answer).await.unwrap()
        });
        let shown = desk.0.borrow().clone();
        (answered, shown)
    }

    #[test]
    fn consent_is_asked_with_what_is_read_now_until_the_name_is_typed() {
        let (answered, shown) = converse(typed(), &["yes\n", "us-east\n"]);
        assert_eq!((answered.yes, answered.how.as_str(), answered.by.as_str()), (true, "terminal", "alice"));
        insta::assert_snapshot!("consent", shown);
    }

    fn paused(going_on: GoingOn) -> AskedKind {
        AskedKind::Paused { going_on, can_roll_back: true }
    }

    #[test]
    fn going_on_where_it_takes_a_reason_is_asked_for_one_until_it_is_there() {
        let (answered, shown) =
            converse(paused(GoingOn::WithReason), &["continue\n", " \n", "continue\n", "we put it back\n"]);
        assert_eq!((answered.yes, answered.choice), (true, Choice::Continue));
        assert_eq!(answered.reason, "we put it back");
        assert!(shown.contains("why is going on right? type a reason:"), "{shown}");
        let (answered, _) = converse(paused(GoingOn::WithReason), &["continue\n", "leave\n"]);
        assert_eq!((answered.yes, answered.choice, answered.reason.as_str()), (false, Choice::Leave, ""));
        let (answered, shown) = converse(paused(GoingOn::Free), &["continue\n"]);
        assert_eq!((answered.choice, answered.reason.as_str()), (Choice::Continue, ""));
        assert!(!shown.contains("reason"), "{shown}");
    }

    #[test]
    fn where_it_cannot_be_gone_on_with_from_here_that_is_not_offered_and_not_taken() {
        let (answered, shown) = converse(paused(GoingOn::NotHere), &["continue\n", "leave\n"]);
        assert_eq!((answered.yes, answered.choice), (false, Choice::Leave));
        assert!(!shown.contains("type continue") && shown.contains("not possible from here"), "{shown}");
    }

    #[test]
    fn a_paste_of_several_lines_is_no_consent() {
        let (answered, shown) = converse(typed(), &["us-east\nus-east\n", "no\n"]);
        assert!(!answered.yes);
        assert!(shown.contains("several lines came at once"), "{shown}");
    }

    #[test]
    fn a_withdrawn_question_says_so_and_gives_the_screen_back() {
        let (_ours, desk, person) = person(Approvals::default());
        let asked = asked(typed());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            assert!(tokio::time::timeout(Duration::from_millis(50), person.ask(&asked)).await.is_err());
        });
        assert!(desk.0.borrow().ends_with("no longer asked\n<release>\n"), "{}", desk.0.borrow());
    }

    #[test]
    fn approvals_given_beforehand_answer_at_a_terminal_but_never_consent() {
        let approvals = Approvals {
            yes: true,
            steps: ["freeze".to_string()].into(),
            pivot_steps: ["promote".to_string()].into(),
            ..Approvals::default()
        };
        let (mut ours, _, person) = person(approvals);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let confirm = asked(AskedKind::Planned(AskKind::Confirm));
        let answered = runtime.block_on(person.ask(&confirm));
        assert!(answered.yes && answered.how == "approve");
        ours.shutdown(std::net::Shutdown::Write).unwrap();
        ours.flush().unwrap();
        let consent = asked(typed());
        let answered = runtime.block_on(person.ask(&consent));
        assert_eq!((answered.yes, answered.how.as_str()), (false, "gone"));
    }
}
