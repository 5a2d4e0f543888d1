//! The live checklist: what is settled is written once and scrolls away, what moves stays at the foot.

use super::canvas::Canvas;
use super::checklist::{self, Frame};
use super::model::{Change, Model};
use super::paint::Text;
use super::scribe::Scribe;
use super::sink::Sink;
use super::streams::Style;
use super::summary::ByHand;
use crate::engine::driver::Reader;
use crate::engine::record::Record;
use crate::engine::state::RunState;
use crate::engine::{Asked, Progress};
use crate::journal::chain::Line;
use crate::plan::Plan;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::rc::Rc;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Milliseconds since the epoch, now.
pub type Now = Arc<dyn Fn() -> i64 + Send + Sync>;

/// How often what moves is drawn.
const BEAT: Duration = Duration::from_millis(120);
/// The most steps at work that are shown at once; a parallel group can be large.
const MOST: usize = 24;

/// Where people read and are asked. While a question is open, nothing else is drawn.
pub trait Desk {
    /// A question opens: clears what moves.
    fn hold(&self);
    /// Writes as it is, while held.
    fn write(&self, text: &str);
    /// The question is closed: what was kept back is written now.
    fn release(&self);
}

/// The live checklist.
pub struct Live {
    shared: Arc<Shared>,
    ticker: Option<std::thread::JoinHandle<()>>,
    frame: Frame,
    by_hand: Rc<ByHand>,
    sink: Sink,
}

struct Shared {
    screen: Mutex<Screen>,
    stop: Condvar,
}

struct Screen {
    model: Model,
    multi: MultiProgress,
    bar: ProgressBar,
    style: Style,
    canvas: Canvas,
    now: Now,
    beat: usize,
    held: bool,
    kept: Vec<String>,
    closed: bool,
}

impl Live {
    /// A checklist on a canvas. `past`: what earlier processes recorded; it is not told again.
    pub fn new<'r>(
        plan: &Plan,
        past: impl IntoIterator<Item = (i64, &'r Record)>,
        frame: Frame,
        by_hand: Rc<ByHand>,
        style: Style,
        canvas: Canvas,
        now: Now,
    ) -> Self {
        let multi = MultiProgress::with_draw_target(canvas.target());
        let bar = multi.add(ProgressBar::new_spinner());
        if let Ok(template) = ProgressStyle::with_template("{msg}") {
            bar.set_style(template);
        }
        let sink = canvas.sink.clone();
        let screen = Screen {
            model: Model::of(Arc::new(plan.clone()), past),
            multi,
            bar,
            style,
            canvas,
            now,
            beat: 0,
            held: false,
            kept: Vec::new(),
            closed: false,
        };
        let shared = Arc::new(Shared { screen: Mutex::new(screen), stop: Condvar::new() });
        Self { shared, ticker: None, frame, by_hand, sink }
    }

    /// Lets clocks and progress move while nothing is recorded. Without it, everything is drawn with the next record.
    #[must_use]
    pub fn ticking(mut self) -> Self {
        let shared = Arc::clone(&self.shared);
        let ticker = std::thread::Builder::new().name("checklist".into()).spawn(move || {
            let mut screen = shared.screen.lock().unwrap_or_else(PoisonError::into_inner);
            while !screen.closed {
                screen = shared.stop.wait_timeout(screen, BEAT).unwrap_or_else(PoisonError::into_inner).0;
                screen.beat += 1;
                // A frame for a reader who has not read the last ones would only be late.
                if !screen.canvas.sink.behindhand() {
                    screen.draw();
                }
            }
        });
        // Without a thread the checklist still works, only its clocks stand still between records.
        self.ticker = ticker.ok();
        self
    }

    fn screen(&self) -> MutexGuard<'_, Screen> {
        self.shared.screen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws what moves, now.
    pub fn redraw(&self) {
        let mut screen = self.screen();
        screen.draw();
        if !screen.held && !screen.closed {
            screen.bar.force_draw();
        }
    }

    /// Clears what moves and stops; what was written stays. Also happens when it is dropped.
    pub fn close(&self) {
        self.screen().close();
        self.shared.stop.notify_all();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.close();
        if let Some(ticker) = self.ticker.take() {
            // It ends at the next beat; a panic in it has nothing to tell here.
            let _ended = ticker.join();
        }
    }
}

impl Reader for Live {
    fn record(&self, line: &Line, record: &Record, _state: &RunState) {
        let mut screen = self.screen();
        let changes = screen.model.record(line.at, record);
        // The person saw the question and their own answer where they typed it.
        let typed_here = matches!(record, Record::Answered { how, .. } if how == "terminal");
        let width = screen.width();
        let scribe = Scribe { frame: &self.frame, by_hand: &*self.by_hand, style: screen.style, width };
        let mut texts = Vec::new();
        let mut ended = false;
        for change in &changes {
            if typed_here && matches!(change, Change::Told(..)) {
                continue;
            }
            ended |= *change == Change::Ended;
            texts.extend(scribe.lines(&screen.model, record, change));
        }
        if ended {
            screen.close();
        }
        screen.write(&texts);
        screen.draw();
    }

    fn progress(&self, progress: &Progress) {
        // Only kept: it is drawn with the next beat, however many come before.
        self.screen().model.progress(progress);
    }

    fn waiting(&self, _asked: &Asked) {
        // The question itself stands on the screen.
    }
}

impl Desk for Live {
    fn hold(&self) {
        let mut screen = self.screen();
        screen.held = true;
        // A terminal that cannot be drawn on can still be asked on.
        let _cleared = screen.multi.clear();
    }

    fn write(&self, text: &str) {
        // Nobody can be told that telling failed; the journal has it.
        let _written = self.sink.write(text);
    }

    fn release(&self) {
        let mut screen = self.screen();
        screen.held = false;
        let kept = std::mem::take(&mut screen.kept);
        screen.print(kept);
        screen.draw();
    }
}

impl Screen {
    fn width(&self) -> usize {
        // The last column is left free: some terminals wrap when it is written.
        usize::from((self.canvas.size)().0).saturating_sub(1).max(20)
    }

    fn write(&mut self, texts: &[Text]) {
        let lines: Vec<String> = texts.iter().map(|text| text.paint(self.style)).collect();
        if self.held {
            self.kept.extend(lines);
        } else {
            self.print(lines);
        }
    }

    fn print(&mut self, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        // Not through the drawing library: it fills lines with blanks, and a copied line would carry them.
        let text = format!("{}\n", lines.join("\n"));
        // Nobody can be told that telling failed; the journal has it.
        let _written = self.multi.suspend(|| self.canvas.sink.write(&text));
    }

    fn draw(&mut self) {
        if self.held || self.closed {
            return;
        }
        let (width, now) = (self.width(), (self.now)());
        let mut lines = checklist::live(&self.model, self.style, width, now, self.beat);
        let clocks = lines.split_off(lines.len().saturating_sub(2));
        lines.truncate(MOST);
        lines.extend(clocks);
        let lines: Vec<String> = lines.iter().map(|text| text.paint(self.style)).collect();
        self.bar.set_message(lines.join("\n"));
    }

    fn close(&mut self) {
        if !self.closed {
            self.closed = true;
            self.held = false;
            self.bar.finish_and_clear();
            let kept = std::mem::take(&mut self.kept);
            self.print(kept);
        }
    }
}
