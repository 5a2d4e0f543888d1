//! A screen as an SVG: text that can be selected and searched, in whatever monospaced font the reader has.

use std::fmt::Write as _;

/// Width and height of a cell, and the size of the letters, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const LETTERS: f64 = 14.0;
/// Room around the text, in pixels.
const MARGIN: f64 = 16.0;

const BACKGROUND: &str = "#0d1117";
const FOREGROUND: &str = "#e6edf3";
const FAINT: &str = "#8b949e";
/// The sixteen colours of a terminal, on the dark background.
const PALETTE: [&str; 16] = [
    "#484f58", "#ff7b72", "#3fb950", "#d29922", "#58a6ff", "#bc8cff", "#39c5cf", "#b1bac4", "#6e7681",
    "#ffa198", "#56d364", "#e3b341", "#79c0ff", "#d2a8ff", "#56d4dd", "#ffffff",
];

/// How a piece of a row looks.
#[derive(Clone, PartialEq, Eq)]
struct Look {
    colour: String,
    bold: bool,
}

impl Look {
    fn of(cell: &vt100::Cell) -> Self {
        let colour = match cell.fgcolor() {
            vt100::Color::Default if cell.dim() => FAINT.to_string(),
            vt100::Color::Default => FOREGROUND.to_string(),
            vt100::Color::Idx(index) => PALETTE.get(usize::from(index)).unwrap_or(&FOREGROUND).to_string(),
            vt100::Color::Rgb(red, green, blue) => format!("#{red:02x}{green:02x}{blue:02x}"),
        };
        Self { colour, bold: cell.bold() }
    }
}

/// One row: pieces of one look, each with its first column and its number of columns.
type Row = Vec<(usize, usize, Look, String)>;

/// The rows of a screen from the first that contains `from`, with `typed` above them as the command that was given.
pub fn svg(screen: &vt100::Screen, typed: &str, from: &str, title: &str) -> String {
    let strong = Look { colour: FOREGROUND.into(), bold: true };
    let faint = Look { colour: FAINT.into(), bold: false };
    let length = typed.chars().count();
    let mut rows: Vec<Row> =
        vec![vec![(0, 1, faint, "$".into()), (2, length, strong, typed.into())], Vec::new()];
    let (height, columns) = screen.size();
    let (height, columns) = (height.get(), columns.get());
    let first = screen.rows(0, columns).position(|row| row.contains(from)).expect("the run's header");
    rows.extend((u16::try_from(first).unwrap()..height).map(|number| row(screen, number, columns)));
    while rows.last().is_some_and(Vec::is_empty) {
        rows.pop();
    }
    draw(&rows, usize::from(columns), title)
}

fn row(screen: &vt100::Screen, number: u16, columns: u16) -> Row {
    let mut pieces: Row = Vec::new();
    for column in 0..columns {
        let Some(cell) = screen.cell(number, column).filter(|cell| cell.has_contents()) else { continue };
        if cell.is_wide_continuation() {
            continue;
        }
        let (look, at) = (Look::of(cell), usize::from(column));
        match pieces.last_mut() {
            Some((begin, length, last, text)) if *last == look && *begin + *length == at => {
                text.push_str(cell.contents());
                *length += 1;
            }
            _ => pieces.push((at, 1, look, cell.contents().to_string())),
        }
    }
    // Blanks at either end of a piece are nothing to see, and some readers drop them.
    let trimmed = pieces.into_iter().filter_map(|(begin, _, look, text)| {
        let leading = text.chars().take_while(|c| *c == ' ').count();
        let text = text.trim();
        (!text.is_empty()).then(|| (begin + leading, text.chars().count(), look, text.to_string()))
    });
    trimmed.collect()
}

fn draw(rows: &[Row], columns: usize, title: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a screen has few rows and columns")]
    let pixels = |count: usize, each: f64| count as f64 * each;
    let width = pixels(columns, CELL.0) + 2.0 * MARGIN;
    let height = pixels(rows.len(), CELL.1) + 2.0 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         role=\"img\" aria-label=\"{title}\">\n<title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{BACKGROUND}\"/>\n\
         <g font-family=\"ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Liberation Mono', monospace\" \
         font-size=\"{LETTERS}\">\n",
        title = escaped(title)
    );
    for (number, row) in rows.iter().enumerate() {
        let y = MARGIN + pixels(number, CELL.1) + LETTERS;
        for (begin, length, look, text) in row {
            let weight = if look.bold { " font-weight=\"bold\"" } else { "" };
            // The length is said, so that columns stand beneath each other in every font.
            writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{y:.1}\" fill=\"{}\"{weight} textLength=\"{:.1}\" xml:space=\"preserve\">{}</text>",
                MARGIN + pixels(*begin, CELL.0),
                look.colour,
                pixels(*length, CELL.0),
                escaped(text)
            )
            .unwrap();
        }
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
