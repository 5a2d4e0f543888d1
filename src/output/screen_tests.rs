//! What an operator sees, through a virtual terminal.

use super::canvas::Canvas;
use super::checklist::Frame;
use super::plain::Plain;
use super::sample::*;
use super::show;
use super::sink::Sink;
use super::streams::{Output, Style};
use super::summary::Rest;
use super::terminal::{Desk, Live};
use crate::engine::Progress;
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// A terminal that counts what was written to it.
#[derive(Clone)]
struct Screen {
    parser: Arc<Mutex<vt100::Parser>>,
    written: Arc<AtomicUsize>,
    width: u16,
    /// What it shows by itself after each write, as for a key that is pressed.
    echo: &'static str,
}

impl Screen {
    fn new(width: u16) -> Self {
        let parser =
            Arc::new(Mutex::new(vt100::Parser::new(60.try_into().unwrap(), width.try_into().unwrap(), 0)));
        Self { parser, written: Arc::default(), width, echo: "" }
    }

    fn feed(&self, bytes: &[u8]) -> io::Result<()> {
        self.written.fetch_add(bytes.len(), Ordering::Relaxed);
        self.parser.lock().unwrap().process(bytes);
        Ok(())
    }

    fn canvas(&self) -> Canvas {
        let size = (self.width, 60);
        Canvas::on(Sink::new(self.clone()), Arc::new(move || size))
    }

    fn text(&self) -> String {
        let parser = self.parser.lock().unwrap();
        let rows: Vec<String> =
            parser.screen().rows(0, self.width).map(|row| row.trim_end().to_string()).collect();
        rows.join("\n").trim_end().to_string()
    }

    fn formatted(&self) -> String {
        let parser = self.parser.lock().unwrap();
        let rows = parser.screen().rows_formatted(0, self.width);
        let rows: Vec<String> = rows.map(|row| row.replace('\u{1b}', "\\e").trim_end().to_string()).collect();
        rows.join("\n").trim_end().to_string()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The line discipline of a terminal turns a newline into a carriage return and a newline.
        self.feed(String::from_utf8_lossy(bytes).replace('\n', "\r\n").as_bytes())?;
        self.feed(self.echo.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn frame() -> Frame {
    Frame {
        run: "0197f3".into(),
        journal: "/var/lib/mrctl/runs/0197f3a2-7c11-7000-8000-000000000001/journal.jsonl".into(),
    }
}

fn by_hand(step: usize, _: usize, _: &crate::step::Facts) -> Vec<String> {
    if step == 3 {
        vec!["psql -h pg.eu.example.com -c 'ALTER SYSTEM RESET default_transaction_read_only'".into()]
    } else {
        vec![]
    }
}

const PLAIN: Style = Style { colour: false, unicode: true };
const COLOUR: Style = Style { colour: true, unicode: true };
const ASCII: Style = Style { colour: false, unicode: false };

/// A live checklist whose clock stands `after` milliseconds after the last record.
fn live(screen: &Screen, style: Style, records: &[(i64, Record)], after: i64) -> Live {
    let now = records.last().map_or(BEGIN, |(at, _)| *at) + after;
    let live =
        Live::new(&plan(), [], frame(), Rc::new(by_hand), style, screen.canvas(), Arc::new(move || now));
    feed(&live, &plan(), records);
    live
}

fn progress(evidence: &str) -> Progress {
    Progress { step: "catch_up".into(), effect: "handover".into(), evidence: evidence.into() }
}

#[test]
fn a_key_that_the_terminal_shows_leaves_no_pieces_of_what_moves_behind() {
    let screen = Screen { echo: "^C", ..Screen::new(80) };
    let live = live(&screen, PLAIN, &until_frozen(), 700);
    for _ in 0..5 {
        live.redraw();
    }
    live.close();
    assert!(!screen.text().contains(['◐', '◑', '◒', '◓']), "{}", screen.text());
}

#[test]
fn the_live_checklist_shows_what_moves_at_its_foot() {
    for (width, style, name) in [(80, PLAIN, "live_80"), (40, PLAIN, "live_40"), (80, ASCII, "live_80_ascii")]
    {
        let screen = Screen::new(width);
        let live = live(&screen, style, &until_frozen(), 700);
        live.progress(&progress("us-east is 1.2 MiB behind, at 0/4EE0000 of 0/5000000, and comes closer"));
        live.redraw();
        insta::assert_snapshot!(name, screen.text());
    }
}

#[test]
fn colour_is_only_added() {
    let screen = Screen::new(80);
    let live = live(&screen, COLOUR, &until_frozen(), 25_000);
    live.redraw();
    insta::assert_snapshot!("live_80_colour", screen.formatted());
}

#[test]
fn each_ending_says_what_is_and_what_to_do() {
    for (name, records) in
        [("completed", completed()), ("rolled_back", rolled_back()), ("unknown", unknown())]
    {
        for width in [80, 40] {
            let screen = Screen::new(width);
            let _live = live(&screen, PLAIN, &records, 0);
            insta::assert_snapshot!(format!("{name}_{width}"), screen.text());
        }
    }
}

#[test]
fn ten_thousand_lines_of_progress_do_not_flood() {
    let screen = Screen::new(80);
    let records = until_frozen();
    let live = live(&screen, PLAIN, &records, 0);
    live.redraw();
    let before = screen.written.load(Ordering::Relaxed);
    for number in 0..10_000 {
        live.progress(&progress(&format!("{number} of 10000 keys")));
    }
    assert_eq!(screen.written.load(Ordering::Relaxed), before, "progress alone draws nothing");
    live.redraw();
    assert!(screen.text().contains("9999 of 10000 keys"));
    assert!(screen.written.load(Ordering::Relaxed) - before < 4000);
}

#[test]
fn clocks_move_while_nothing_is_recorded() {
    let screen = Screen::new(80);
    let now = Arc::new(std::sync::atomic::AtomicI64::new(BEGIN + 21_000));
    let clock = Arc::clone(&now);
    let live = Live::new(
        &plan(),
        [],
        frame(),
        Rc::new(by_hand),
        PLAIN,
        screen.canvas(),
        Arc::new(move || clock.load(Ordering::Relaxed)),
    )
    .ticking();
    feed(&live, &plan(), &until_frozen());
    now.store(BEGIN + 29_100, Ordering::Relaxed);
    let begun = std::time::Instant::now();
    while !screen.text().contains("writes stopped 9.0s of 30s") {
        assert!(begun.elapsed().as_secs() < 60, "the clock stands still: {}", screen.text());
        std::thread::yield_now();
    }
    drop(live);
    assert!(!screen.text().contains("writes stopped 9.0s"), "what moved is cleared at the end");
}

#[test]
fn a_held_screen_keeps_back_what_happens_meanwhile() {
    let screen = Screen::new(80);
    let records = until_frozen();
    let live = live(&screen, PLAIN, &records, 0);
    live.redraw();
    live.hold();
    assert!(!screen.text().contains("writes stopped"), "what moves is cleared: {}", screen.text());
    live.write("  Go? ");
    feed(&live, &plan(), &[(BEGIN + 21_000, Record::Signalled { signal: "SIGTERM".into() })]);
    live.redraw();
    assert!(screen.text().ends_with("  Go?"), "{}", screen.text());
    live.write("\n");
    live.release();
    assert!(screen.text().contains("SIGTERM"));
}

#[test]
fn what_a_server_says_cannot_reach_the_terminal_as_commands() {
    let screen = Screen::new(80);
    let records = until_frozen();
    let live = live(&screen, PLAIN, &records, 0);
    live.progress(&progress("\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\rall fine \u{202e}"));
    live.redraw();
    let text = screen.text();
    assert!(text.contains("Move Orders"), "the screen was cleared: {text}");
    assert!(text.contains("\\u{1b}[2J\\u{1b}]52;c;aGk=\\u{7}\\rall fine \\u{202e}"), "{text}");
}

#[test]
fn a_log_is_append_only_and_calm() {
    let now = Arc::new(std::sync::atomic::AtomicI64::new(BEGIN));
    let (output, _, err) = Output::captured();
    let clock = Arc::clone(&now);
    let log = Plain::new(
        &plan(),
        [],
        frame(),
        Rc::new(by_hand),
        &output,
        Arc::new(move || clock.load(Ordering::Relaxed)),
    );
    feed(&log, &plan(), &rolled_back()[..14]);
    // 20 seconds of progress, a thousand lines a second: one every 5 seconds is enough.
    let before = err.text().lines().count();
    for number in 0..20_000 {
        now.store(BEGIN + 21_000 + number, Ordering::Relaxed);
        log.progress(&progress(&format!("{number} of 20000")));
    }
    assert_eq!(err.text().lines().count() - before, 3);
    let (output, _, err) = Output::captured();
    let log = Plain::new(&plan(), [], frame(), Rc::new(by_hand), &output, Arc::new(|| BEGIN));
    feed(&log, &plan(), &rolled_back());
    assert!(!err.text().contains('\u{1b}'));
    insta::assert_snapshot!("log", err.text());
}

#[test]
fn a_finished_journal_is_shown_like_the_run() {
    for (name, records) in [("completed", completed()), ("rolled_back", rolled_back())] {
        let refs = records.iter().map(|(at, record)| (*at, record));
        let shown = show::checklist(&plan(), refs.clone(), &frame(), &by_hand, PLAIN, 79).join("\n");
        let screen = Screen::new(80);
        let _live = live(&screen, PLAIN, &records, 0);
        let told_live: Vec<String> = screen.text().lines().map(str::to_string).collect();
        for line in told_live.iter().filter(|line| !line.is_empty()) {
            assert!(shown.contains(line.trim_end()), "{name}: {line:?} is missing from\n{shown}");
        }
        let timeline = show::timeline(&plan(), refs, &by_hand, PLAIN);
        assert!(timeline.iter().all(|line| line.starts_with("2026-07-28T10:00:")), "{timeline:?}");
    }
}

/// Whoever abandons a run is told what takes it back by hand, and never what would make two primaries.
#[test]
fn what_is_left_is_given_back_by_hand_only_where_nothing_was_promoted() {
    let told = |records: &[(i64, Record)], rest: Rest| {
        let refs = records.iter().map(|(at, record)| (*at, record));
        show::left(&plan(), refs, &by_hand, rest, PLAIN, 79).join("\n")
    };
    let reset = "ALTER SYSTEM RESET";
    let frozen = told(&until_frozen(), Rest::Closed);
    assert!(frozen.contains("freeze/read_only") && frozen.contains(reset), "{frozen}");
    // The last look of all saw a primary where this run has promoted nothing.
    let mut promoted = until_frozen();
    let mut seen = surveyed("writes: us-east", &[]);
    if let Record::Surveyed { promoted, .. } = &mut seen {
        promoted.push("orders".into());
    }
    promoted.push((BEGIN, seen));
    let promoted = told(&promoted, Rest::Closed);
    assert!(promoted.contains("freeze/read_only") && !promoted.contains(reset), "{promoted}");
    // The promotion may stand in what cannot be read.
    let partial = told(&until_frozen(), Rest::Partial);
    assert!(!partial.contains(reset) && partial.contains("make sure that us-east is a standby"), "{partial}");
    // A run that is closed is not gone on with.
    let armed = told(&unknown(), Rest::Closed);
    assert!(armed.contains("may still happen") && !armed.contains("resume"), "{armed}");
    assert!(told(&unknown(), Rest::Open).contains("resume sees it"), "{armed}");
}
