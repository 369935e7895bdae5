//! A report as data, and its three faces: JSON for programs, Markdown for the repository, HTML for a browser.
//!
//! ```text
//!   Document ── Section ─┬─ parts        paragraphs, tables and pictures, in their order
//!                        ├─ made         from which commit, on which machine
//!                        └─ command      what to type to see the figures again
//! ```
//!
//! Sections are made at different times, so each says of what it was made.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

/// The whole report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) title: String,
    pub(crate) introduction: String,
    pub(crate) sections: Vec<Section>,
}

/// One subject.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Section {
    /// What `--only` calls it.
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) parts: Vec<Part>,
    /// Of which code and where; by name.
    pub(crate) made: Vec<(String, String)>,
    pub(crate) command: String,
    /// Whether it shows what must not be: a violation, a fault that never fired, a mutation that survived.
    pub(crate) is_bad: bool,
}

/// What stands in a section.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
    Paragraph(String),
    Table(Table),
    Picture(Picture),
}

/// An image beside the report.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Picture {
    pub(crate) file: String,
    pub(crate) caption: String,
}

/// Rows under named columns.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Section {
    pub(crate) fn new(title: &str, command: &str) -> Section {
        Section { title: title.to_owned(), command: command.to_owned(), ..Section::default() }
    }

    #[must_use]
    pub(crate) fn says(mut self, paragraph: impl Into<String>) -> Section {
        self.parts.push(Part::Paragraph(paragraph.into()));
        self
    }

    #[must_use]
    pub(crate) fn shows(mut self, table: Table) -> Section {
        self.parts.push(Part::Table(table));
        self
    }

    #[must_use]
    pub(crate) fn pictures(mut self, file: &str, caption: &str) -> Section {
        self.parts.push(Part::Picture(Picture { file: file.to_owned(), caption: caption.to_owned() }));
        self
    }

    /// Of what it was made, and what makes it again.
    fn made(&self) -> String {
        let made: String = self.made.iter().map(|(name, value)| format!("{name}: {value}; ")).collect();
        format!("{made}again: `{}`", self.command)
    }
}

impl Table {
    pub(crate) fn new<const N: usize>(columns: [&str; N]) -> Table {
        Table { columns: columns.map(str::to_owned).to_vec(), rows: Vec::new() }
    }

    /// Adds a row, with a cell for every column.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        assert_eq!(N, self.columns.len(), "a cell for every column");
        self.rows.push(cells.to_vec());
    }
}

impl Document {
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("text and lists of text") + "\n"
    }

    pub(crate) fn to_markdown(&self) -> String {
        let mut out = format!("# {}\n\n{}\n\n", self.title, self.introduction);
        for section in &self.sections {
            writeln!(out, "## {}\n", section.title).expect("into a string");
            for part in &section.parts {
                out += &match part {
                    Part::Paragraph(paragraph) => format!("{paragraph}\n\n"),
                    Part::Table(table) => markdown_table(table),
                    Part::Picture(Picture { file, caption }) => format!("![{caption}]({file})\n\n"),
                };
            }
            writeln!(out, "{}\n", section.made()).expect("into a string");
        }
        out.truncate(out.trim_end().len());
        out + "\n"
    }

    pub(crate) fn to_html(&self) -> String {
        let mut body = format!("<h1>{}</h1>\n<p>{}</p>\n", text(&self.title), text(&self.introduction));
        for section in &self.sections {
            writeln!(body, "<h2>{}</h2>", text(&section.title)).expect("into a string");
            for part in &section.parts {
                body += &match part {
                    Part::Paragraph(paragraph) => format!("<p>{}</p>\n", text(paragraph)),
                    Part::Table(table) => html_table(table),
                    Part::Picture(Picture { file, caption }) => {
                        format!("<img src=\"{}\" alt=\"{}\">\n", text(file), text(caption))
                    }
                };
            }
            writeln!(body, "<p class=machine>{}</p>", text(&section.made())).expect("into a string");
        }
        include_str!("page.html").replace("{title}", &text(&self.title)).replace("{body}", &body)
    }
}

fn markdown_table(table: &Table) -> String {
    let line = |cells: &[String]| {
        let cells: Vec<String> = cells.iter().map(|cell| cell.replace('|', "\\|")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let rows: String = table.rows.iter().map(|row| line(row)).collect();
    format!("{}|{}\n{rows}\n", line(&table.columns), "---|".repeat(table.columns.len()))
}

fn html_table(table: &Table) -> String {
    let cells = |tag: &str, cells: &[String]| -> String {
        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", text(cell))).collect()
    };
    let head = cells("th", &table.columns);
    let rows: Vec<String> = table.rows.iter().map(|row| format!("<tr>{}</tr>", cells("td", row))).collect();
    format!("<table>\n<tr>{head}</tr>\n{}\n</table>\n", rows.join("\n"))
}

/// Text as HTML; what stands between backquotes is code.
fn text(text: &str) -> String {
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let mut out = String::new();
    for (index, part) in escaped.split('`').enumerate() {
        match index % 2 {
            0 => out += part,
            _ => out += &format!("<code>{part}</code>"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        let mut table = Table::new(["engine", "violations"]);
        table.row(["a|b <c>".to_owned(), "0".to_owned()]);
        let section = Section::new("Faults", "just x").says("See `y`.").shows(table).says("After it.");
        Document { title: "T".into(), introduction: "I".into(), sections: vec![section] }
    }

    #[test]
    fn markdown_keeps_cells_apart() {
        assert!(document().to_markdown().contains("| engine | violations |\n|---|---|\n| a\\|b <c> | 0 |\n"));
    }

    #[test]
    fn html_is_escaped() {
        let html = document().to_html();
        assert!(html.contains("<td>a|b &lt;c&gt;</td><td>0</td>"), "{html}");
        assert!(html.contains("See <code>y</code>."), "{html}");
    }

    #[test]
    fn parts_stand_in_their_order_and_the_command_below_them() {
        for text in [document().to_markdown(), document().to_html()] {
            let place = |what: &str| text.find(what).expect("it is there");
            assert!(place("See ") < place("engine") && place("engine") < place("After it"), "{text}");
            assert!(place("After it") < place("just x"), "{text}");
        }
    }
}
