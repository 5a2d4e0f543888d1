//! Lines that a person types. Reading a terminal cannot be cancelled, so it happens on a thread of its own that also listens to
//! a pipe: dropping the future ends it. The terminal edits the line; nothing is read while no question is open, so that a run
//! that was put in the background is stopped by the shell only when it really has to ask.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{ioctl_fionread, read};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use tokio::sync::{Mutex, oneshot};

/// What came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// One line, without its end.
    Line(String),
    /// More than one line at once: pasted, or typed ahead. Nothing of it counts.
    Pasted,
    /// Nobody is there any more.
    Gone,
}

/// How soon a second line must follow to count as pasted. Nanoseconds.
const PASTE_NS: i64 = 30_000_000;
/// The longest line. Bytes; a terminal's own limit is 4096.
const LONGEST: usize = 4096;

/// The one owner of the terminal's input.
pub struct Input {
    source: Arc<OwnedFd>,
    // One question at a time, whoever asks.
    turn: Mutex<()>,
}

/// The right to ask: nobody else asks meanwhile.
pub struct Turn<'a> {
    input: &'a Input,
    _turn: tokio::sync::MutexGuard<'a, ()>,
}

/// Ends the thread when the question is withdrawn, and waits for it: the next question must not share its input.
struct Reading {
    wake: io::PipeWriter,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Reading {
    fn drop(&mut self) {
        // If the thread is done already, nobody reads this.
        let _woken = self.wake.write_all(b"x");
        if let Some(thread) = self.thread.take() {
            let _ended = thread.join();
        }
    }
}

impl Input {
    /// Over a terminal, or anything that can be polled.
    pub fn new(source: OwnedFd) -> Self {
        Self { source: Arc::new(source), turn: Mutex::new(()) }
    }

    /// Over standard input.
    pub fn stdin() -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?))
    }

    /// Waits until nobody else asks.
    pub async fn turn(&self) -> Turn<'_> {
        Turn { input: self, _turn: self.turn.lock().await }
    }
}

impl Turn<'_> {
    /// Throws away what was typed before the question could be read.
    pub fn discard(&self) {
        let source = &*self.input.source;
        // Not a terminal: there is no half-typed line to throw away.
        let _flushed = rustix::termios::tcflush(source, rustix::termios::QueueSelector::IFlush);
        let mut bytes = [0; LONGEST];
        while readable(source, 0) && ioctl_fionread(source).is_ok_and(|waiting| waiting > 0) {
            if !matches!(read(source, &mut bytes), Ok(1..)) {
                break;
            }
        }
    }

    /// The next line. Dropping the future stops reading.
    pub async fn line(&self) -> Typed {
        let (tell, told) = oneshot::channel();
        let source = Arc::clone(&self.input.source);
        let Ok((woken, wake)) = io::pipe() else { return Typed::Gone };
        let thread = std::thread::Builder::new().name("input".into()).spawn(move || {
            if let Some(typed) = wait(&source, &woken) {
                // A question that was withdrawn meanwhile wants no answer.
                let _unwanted = tell.send(typed);
            }
        });
        let Ok(thread) = thread else { return Typed::Gone };
        let _reading = Reading { wake, thread: Some(thread) };
        told.await.unwrap_or(Typed::Gone)
    }
}

/// Waits for a line, or for the end of the question.
fn wait(source: &OwnedFd, woken: &io::PipeReader) -> Option<Typed> {
    let mut line = Vec::new();
    loop {
        let mut fds = [PollFd::new(source, PollFlags::IN), PollFd::new(woken, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Some(Typed::Gone),
        }
        if !fds[1].revents().is_empty() {
            return None;
        }
        if fds[0].revents().is_empty() {
            continue;
        }
        let mut bytes = [0; LONGEST];
        match read(source, &mut bytes) {
            Ok(0) => return Some(Typed::Gone),
            Ok(count) => line.extend_from_slice(&bytes[..count]),
            Err(rustix::io::Errno::INTR) => continue,
            Err(_) => return Some(Typed::Gone),
        }
        if let Some(end) = line.iter().position(|byte| *byte == b'\n') {
            let more = line.len() > end + 1 || readable(source, PASTE_NS) && !hung_up(source);
            line.truncate(end);
            let text = String::from_utf8_lossy(&line);
            let text = text.strip_suffix('\r').unwrap_or(&text);
            return Some(if more { Typed::Pasted } else { Typed::Line(text.to_string()) });
        }
        if line.len() > LONGEST {
            return Some(Typed::Pasted);
        }
    }
}

fn readable(source: &OwnedFd, nanoseconds: i64) -> bool {
    let mut fds = [PollFd::new(source, PollFlags::IN)];
    let wait = Timespec { tv_sec: 0, tv_nsec: nanoseconds };
    matches!(poll(&mut fds, Some(&wait)), Ok(1..)) && !fds[0].revents().is_empty()
}

fn hung_up(source: &OwnedFd) -> bool {
    ioctl_fionread(source).is_ok_and(|waiting| waiting == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::time::Duration;

    fn pair() -> (UnixStream, Input) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        (ours, Input::new(theirs.into()))
    }

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
    }

    #[test]
    fn a_line_is_read() {
        let (mut person, input) = pair();
        person.write_all("Größe\r\n".as_bytes()).unwrap();
        let typed = block(async { input.turn().await.line().await });
        assert_eq!(typed, Typed::Line("Größe".into()));
    }

    #[test]
    fn several_lines_at_once_are_no_answer() {
        let (mut person, input) = pair();
        person.write_all(b"yes\nyes\n").unwrap();
        assert_eq!(block(async { input.turn().await.line().await }), Typed::Pasted);
    }

    #[test]
    fn what_was_typed_ahead_is_thrown_away() {
        let (mut person, input) = pair();
        person.write_all(b"yes\n").unwrap();
        let typed = block(async {
            let turn = input.turn().await;
            turn.discard();
            person.write_all(b"no\n").unwrap();
            turn.line().await
        });
        assert_eq!(typed, Typed::Line("no".into()));
    }

    #[test]
    fn a_withdrawn_question_leaves_the_input_to_the_next() {
        let (mut person, input) = pair();
        let typed = block(async {
            let withdrawn =
                tokio::time::timeout(Duration::from_millis(20), async { input.turn().await.line().await });
            assert!(withdrawn.await.is_err());
            person.write_all(b"later\n").unwrap();
            input.turn().await.line().await
        });
        assert_eq!(typed, Typed::Line("later".into()));
    }

    #[test]
    fn a_person_who_went_away_is_told_from_one_who_says_nothing() {
        let (person, input) = pair();
        drop(person);
        assert_eq!(block(async { input.turn().await.line().await }), Typed::Gone);
    }
}
