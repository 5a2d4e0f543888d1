//! Tables that stay readable when the window is narrow: then each row becomes a block of lines.

use super::paint::{Text, Tone};
use super::streams::Style;

/// Rows under headings. The first column names the row.
#[derive(Clone, Debug, Default)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Text>>,
}

impl Table {
    /// With headings.
    pub fn new(headings: &[&str]) -> Self {
        Self { headings: headings.iter().map(ToString::to_string).collect(), rows: Vec::new() }
    }

    /// Adds a row; cells beyond the headings are dropped.
    pub fn row(&mut self, cells: Vec<Text>) {
        self.rows.push(cells);
    }

    /// Draws it. Nothing is cut: what does not fit side by side stands beneath.
    pub fn draw(&self, style: Style, width: usize) -> Vec<Text> {
        let rows: Vec<Vec<Text>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(|cell| cell.clone().spelled(style)).collect())
            .collect();
        let widths: Vec<usize> = self
            .headings
            .iter()
            .enumerate()
            .map(|(column, heading)| {
                let cells = rows.iter().filter_map(|row| row.get(column)).map(Text::width);
                cells.max().unwrap_or(0).max(heading.chars().count())
            })
            .collect();
        let whole: usize = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if whole <= width { self.side_by_side(&rows, &widths) } else { self.beneath(&rows, width) }
    }

    fn side_by_side(&self, rows: &[Vec<Text>], widths: &[usize]) -> Vec<Text> {
        let line = |cells: Vec<Text>| {
            let last = widths.len().saturating_sub(1);
            cells.into_iter().zip(widths).enumerate().fold(Text::new(), |line, (column, (cell, width))| {
                if column == last { line.with(cell) } else { line.with(cell.filled(width + 2)) }
            })
        };
        let headings = self.headings.iter().map(|heading| Text::of(Tone::Dim, heading)).collect();
        std::iter::once(line(headings)).chain(rows.iter().cloned().map(line)).collect()
    }

    fn beneath(&self, rows: &[Vec<Text>], width: usize) -> Vec<Text> {
        let mut lines = Vec::new();
        for row in rows {
            for (column, (heading, cell)) in self.headings.iter().zip(row).enumerate() {
                let line = if column == 0 {
                    cell.clone()
                } else if cell.width() == 0 {
                    continue;
                } else {
                    Text::of(Tone::Dim, format!("  {heading} ")).with(cell.clone())
                };
                lines.extend(line.broken(width, "    "));
            }
        }
        lines
    }
}
