//! One stream, written here or by a thread of its own.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// One stream. A reader that went away (`mrctl … | head`) is no error: what follows is dropped.
#[derive(Clone)]
pub struct Sink(Arc<Stream>);

struct Stream {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The writer, unless a thread has it.
    writer: Option<Box<dyn Write + Send>>,
    /// What the thread has not taken yet.
    waiting: String,
    /// Whether the thread is in the middle of a write.
    writing: bool,
    /// Whether what follows is dropped.
    gone: bool,
    /// What the next write has to tell.
    error: Option<io::Error>,
}

impl Sink {
    /// Each write is done when it returns.
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        let state = State { writer: Some(Box::new(writer)), ..State::default() };
        Self(Arc::new(Stream { state: Mutex::new(state), changed: Condvar::new() }))
    }

    /// Writes never block: a thread does them, for as long as the process lives. A stopped terminal or a pipe that nobody reads
    /// must not stop a failover. Errors are told by a later write.
    pub fn behind(writer: impl Write + Send + 'static) -> Self {
        let sink = Self::new(writer);
        let stream = Arc::clone(&sink.0);
        let (begun, begins) = std::sync::mpsc::channel();
        let thread = std::thread::Builder::new().name("stream".into()).spawn(move || stream.work(&begun));
        // Without a thread the writes are done where they are asked for; with one, it has the writer before the first write.
        if thread.is_ok() {
            let _taken = begins.recv();
        }
        sink
    }

    /// Writes and flushes, or leaves that to the thread. Errors other than a broken pipe are given back.
    pub fn write(&self, text: &str) -> io::Result<()> {
        let mut state = self.0.state();
        if let Some(error) = state.error.take() {
            return Err(error);
        }
        if state.gone || text.is_empty() {
            return Ok(());
        }
        match &mut state.writer {
            Some(writer) => {
                let written = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
                state.note(written);
                state.error.take().map_or(Ok(()), Err)
            }
            None => {
                state.waiting.push_str(text);
                self.0.changed.notify_all();
                Ok(())
            }
        }
    }

    /// Whether earlier writes still wait for a reader.
    pub fn behindhand(&self) -> bool {
        let state = self.0.state();
        state.writing || !state.waiting.is_empty()
    }

    /// Waits until everything is written, at most this long; true if it is.
    pub fn drain(&self, at_most: Duration) -> bool {
        let begun = Instant::now();
        let mut state = self.0.state();
        while state.writing || !state.waiting.is_empty() {
            let Some(left) = at_most.checked_sub(begun.elapsed()) else { return false };
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl State {
    fn note(&mut self, written: io::Result<()>) {
        if let Err(error) = written {
            self.gone = true;
            self.waiting.clear();
            if error.kind() != io::ErrorKind::BrokenPipe {
                self.error = Some(error);
            }
        }
    }
}

impl Stream {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, begun: &std::sync::mpsc::Sender<()>) {
        let Some(mut writer) = self.state().writer.take() else { return };
        let _told = begun.send(());
        let mut state = self.state();
        loop {
            while state.waiting.is_empty() {
                state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            let text = std::mem::take(&mut state.waiting);
            state.writing = true;
            drop(state);
            let written = writer.write_all(text.as_bytes()).and_then(|()| writer.flush());
            state = self.state();
            state.writing = false;
            state.note(written);
            self.changed.notify_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    struct Failing(io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Writes only when told to.
    struct Stuck(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(|_| io::ErrorKind::BrokenPipe)?;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_a_full_disk_is() {
        let pipe = Sink::new(Failing(io::ErrorKind::BrokenPipe));
        assert!(pipe.write("a").is_ok() && pipe.write("b").is_ok());
        assert!(Sink::new(Failing(io::ErrorKind::StorageFull)).write("a").is_err());
        let behind = Sink::behind(Failing(io::ErrorKind::StorageFull));
        let first = behind.write("a");
        assert!(behind.drain(Duration::from_secs(60)));
        assert!(first.is_err() || behind.write("b").is_err(), "the error is told by the next write");
    }

    #[test]
    fn a_stuck_reader_blocks_nobody_and_loses_nothing() {
        let (go, wait) = mpsc::channel();
        let read = Arc::new(Mutex::new(Vec::new()));
        let sink = Sink::behind(Stuck(wait, Arc::clone(&read)));
        for _ in 0..1000 {
            sink.write("line\n").unwrap();
        }
        assert!(sink.behindhand() && !sink.drain(Duration::from_millis(20)));
        for _ in 0..1000 {
            // It takes as many writes as it likes; more permissions than needed do no harm.
            let _enough = go.send(());
        }
        assert!(sink.drain(Duration::from_secs(60)));
        assert_eq!(read.lock().unwrap().len(), 5000);
    }
}
