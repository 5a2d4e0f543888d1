//! A program in a terminal of its own, as a person has it: it reads keys, and what it writes is a screen.

use super::pg::PATIENCE;
use pty_process::Size;
use pty_process::blocking::{Command, Pty, open};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How often the thread that reads looks whether it should end. Nanoseconds.
const LOOK_NS: i64 = 20_000_000;
/// Lines that are kept when they scroll away.
const KEPT: usize = 2000;

/// A program in a terminal.
pub struct Terminal {
    pty: Option<Arc<Pty>>,
    child: Child,
    seen: Arc<Seen>,
    reader: Option<JoinHandle<()>>,
    columns: u16,
}

struct Seen {
    parser: Mutex<vt100::Parser>,
    raw: Mutex<Vec<u8>>,
    more: Condvar,
    stop: AtomicBool,
}

/// Everything that was written, with the lines that scrolled away.
pub struct Lines {
    /// The lines, without blanks at their ends.
    pub lines: Vec<String>,
    /// Lines that were too long and went on in the next, with their places.
    pub wrapped: Vec<(usize, String)>,
}

impl Lines {
    /// As one text.
    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

impl Terminal {
    /// Starts a program in a terminal of this size.
    pub fn start(command: std::process::Command, rows: u16, columns: u16) -> Self {
        Self::of(Command::from(command), rows, columns)
    }

    /// Starts a program in a terminal, except that its data go to a file.
    pub fn start_into(command: std::process::Command, rows: u16, columns: u16, data: std::fs::File) -> Self {
        Self::of(Command::from(command).stdout(data), rows, columns)
    }

    fn of(command: Command, rows: u16, columns: u16) -> Self {
        let (pty, pts) = open().unwrap();
        pty.resize(Size::new(rows, columns)).unwrap();
        let child = command.spawn(pts).unwrap();
        let pty = Arc::new(pty);
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), KEPT);
        let seen = Arc::new(Seen {
            parser: Mutex::new(parser),
            raw: Mutex::default(),
            more: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let reader = {
            let (pty, seen) = (Arc::clone(&pty), Arc::clone(&seen));
            std::thread::spawn(move || read(&pty, &seen))
        };
        Self { pty: Some(pty), child, seen, reader: Some(reader), columns }
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        let mut pty: &Pty = self.pty.as_ref().expect("the terminal is open");
        pty.write_all(keys.as_bytes()).unwrap();
    }

    /// Types a line.
    pub fn type_line(&self, line: &str) {
        self.press(&format!("{line}\r"));
    }

    /// Presses Ctrl-C.
    pub fn interrupt(&self) {
        self.press("\u{3}");
    }

    /// Closes the window, with everything that the kernel does then. The program goes on without it, or ends.
    pub fn close(&mut self) {
        self.seen.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.pty = None;
    }

    /// What was written so far.
    pub fn lines(&self) -> Lines {
        everything(&mut self.seen.parser.lock().unwrap(), self.columns)
    }

    /// How many bytes were written to the terminal.
    pub fn written(&self) -> usize {
        self.seen.raw.lock().unwrap().len()
    }

    /// The program's process.
    pub fn process(&self) -> u32 {
        self.child.id()
    }

    /// The most memory that the program has had, in KiB (proc_pid_status(5), `VmHWM`).
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().trim_end_matches(" kB").trim().parse().unwrap()
    }

    /// Whether colours were used.
    pub fn coloured(&self) -> bool {
        let raw = String::from_utf8_lossy(&self.seen.raw.lock().unwrap()).into_owned();
        raw.split("\u{1b}[")
            .skip(1)
            .any(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m'))
    }

    /// The screen as it is now, for pictures.
    pub fn with_screen<T>(&self, look: impl FnOnce(&vt100::Screen) -> T) -> T {
        look(self.seen.parser.lock().unwrap().screen())
    }

    /// Waits until the text has been written this often.
    pub fn wait_for(&mut self, text: &str, times: usize) {
        self.wait_until(&format!("{text:?} for time {times}"), |lines| {
            lines.text().matches(text).count() >= times
        });
    }

    /// Waits until what was written is as wanted.
    pub fn wait_until(&mut self, what: &str, wanted: impl Fn(&Lines) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.seen.parser.lock().unwrap();
        loop {
            let lines = everything(&mut parser, self.columns);
            if wanted(&lines) {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "never seen: {what}\n{}", lines.text());
            parser = self.seen.more.wait_timeout(parser, left).unwrap().0;
        }
    }

    /// Waits until the program has ended, and gives its exit code.
    pub fn ended(&mut self) -> i32 {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end:\n{}", self.lines().text());
            std::thread::sleep(Duration::from_millis(10));
        };
        // What it wrote last is still read: the reader ends by itself when nobody holds the other end any more.
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        // A signal that ended it is told apart from every exit code.
        status.code().unwrap_or_else(|| -status.signal().unwrap_or(0))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A test that failed must not leave its program running.
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
        self.close();
    }
}

fn read(pty: &Pty, seen: &Seen) {
    let mut bytes = [0; 4096];
    let mut pty: &Pty = pty;
    while !seen.stop.load(Ordering::Relaxed) {
        let wait = Timespec { tv_sec: 0, tv_nsec: LOOK_NS };
        if !matches!(poll(&mut [PollFd::new(&pty, PollFlags::IN)], Some(&wait)), Ok(1..)) {
            continue;
        }
        // The other end is closed: Linux answers with an input error.
        let Ok(count @ 1..) = pty.read(&mut bytes) else { return };
        seen.raw.lock().unwrap().extend_from_slice(&bytes[..count]);
        seen.parser.lock().unwrap().process(&bytes[..count]);
        seen.more.notify_all();
    }
}

/// All lines, from the first that scrolled away.
fn everything(parser: &mut vt100::Parser, columns: u16) -> Lines {
    let mut lines = Lines { lines: Vec::new(), wrapped: Vec::new() };
    let screen = parser.screen_mut();
    let away = screen.scrollback_len();
    let mut take = |screen: &vt100::Screen, row: usize| {
        let text = screen.rows(0, columns).nth(row).unwrap_or_default().trim_end().to_string();
        // A row that was filled with blanks went on too, but nobody sees it.
        let full = text.chars().count() >= usize::from(columns);
        if full && screen.row_wrapped(u16::try_from(row).unwrap()) {
            lines.wrapped.push((lines.lines.len(), text.clone()));
        }
        lines.lines.push(text);
    };
    for offset in (1..=away).rev() {
        screen.set_scrollback(offset);
        take(screen, 0);
    }
    screen.set_scrollback(0);
    let (rows, _) = screen.size();
    for row in 0..usize::from(rows.get()) {
        take(screen, row);
    }
    while lines.lines.last().is_some_and(String::is_empty) {
        lines.lines.pop();
    }
    lines
}
