//! A terminal to draw on, through the same stream as everything else: what is drawn and what is asked keep their order, and a
//! terminal that does not read blocks nobody.

use super::sink::Sink;
use indicatif::{ProgressDrawTarget, TermLike};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

/// Columns and rows now: windows are resized.
pub type Size = Arc<dyn Fn() -> (u16, u16) + Send + Sync>;

/// Where the live checklist is drawn.
#[derive(Clone)]
pub struct Canvas {
    /// The stream.
    pub sink: Sink,
    /// Its columns and rows.
    pub size: Size,
    /// What was drawn since the last flush.
    drawn: Arc<Mutex<String>>,
}

impl Canvas {
    /// Draws on a stream of this size.
    pub fn on(sink: Sink, size: Size) -> Self {
        Self { sink, size, drawn: Arc::default() }
    }

    /// A stream that ends at the terminal of standard error.
    pub fn stderr(sink: Sink) -> Self {
        let term = console::Term::stderr();
        let size = move || {
            let (rows, columns) = term.size();
            (columns, rows)
        };
        Self::on(sink, Arc::new(size))
    }

    /// As the drawing library wants it.
    pub fn target(&self) -> ProgressDrawTarget {
        ProgressDrawTarget::term_like_with_hz(Box::new(self.clone()), 20)
    }

    fn move_by(&self, lines: usize, direction: char) -> io::Result<()> {
        if lines == 0 { Ok(()) } else { self.put(&format!("\u{1b}[{lines}{direction}")) }
    }

    /// Kept until the frame is whole: what a terminal shows of a key that is pressed meanwhile (`^C`) would push the rest of a line
    /// over its end, and nobody would count the line that this makes.
    fn put(&self, text: &str) -> io::Result<()> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).push_str(text);
        Ok(())
    }
}

impl std::fmt::Debug for Canvas {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Canvas")
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        (self.size)().0
    }

    fn height(&self) -> u16 {
        (self.size)().1
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'A')
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'B')
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'C')
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.move_by(n, 'D')
    }

    fn write_line(&self, s: &str) -> io::Result<()> {
        self.put(&format!("{s}\n"))
    }

    fn write_str(&self, s: &str) -> io::Result<()> {
        self.put(s)
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\u{1b}[2K")
    }

    fn flush(&self) -> io::Result<()> {
        // The library leaves the cursor behind the last column, where the `^C` that a terminal shows would begin a line that
        // nobody counts. At the start of the line it is drawn over.
        let drawn = std::mem::take(&mut *self.drawn.lock().unwrap_or_else(PoisonError::into_inner));
        let drawn = format!("\r{drawn}\r");
        // Never an error: the drawing library panics on some, and a terminal that was closed must not end a failover.
        let _gone = self.sink.write(&drawn);
        Ok(())
    }
}
