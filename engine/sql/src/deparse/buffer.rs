//! Text under construction, broken into indented lines or not (`appendContextKeyword`).

/// Depth after which indentation grows slowly.
const INDENT_LIMIT: i32 = 40;

/// Usual step of indentation.
pub(super) const STEP: i32 = 8;
/// Further step for the parts of a list.
pub(super) const PART: i32 = 4;

pub(super) struct Buffer {
    text: String,
    level: i32,
    /// Whether keywords begin new lines.
    lines: bool,
}

impl Buffer {
    pub(super) fn new(lines: bool) -> Buffer {
        Buffer { text: String::new(), level: 0, lines }
    }

    /// A buffer for a part that is put in later, at the same depth.
    pub(super) fn part(&self) -> Buffer {
        Buffer { text: String::new(), level: self.level, lines: self.lines }
    }

    pub(super) fn lines(&self) -> bool {
        self.lines
    }

    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn indent(&mut self, by: i32) {
        self.level += by;
    }

    pub(super) fn level(&self) -> i32 {
        self.level
    }

    pub(super) fn set_level(&mut self, level: i32) {
        self.level = level;
    }

    /// A keyword on a new line, if there are lines: indented by `before` less or more than now, and `extra` blanks;
    /// afterwards the depth changes by `after`.
    pub(super) fn keyword(&mut self, text: &str, before: i32, after: i32, extra: i32) {
        if !self.lines {
            self.text.push_str(text);
            return;
        }
        self.level += before;
        self.text.truncate(self.text.trim_end_matches(' ').len());
        self.text.push('\n');
        let mut amount = if self.level < INDENT_LIMIT {
            self.level.max(0)
        } else {
            // Beyond the limit, indentation cycles.
            INDENT_LIMIT + (self.level - INDENT_LIMIT) / (STEP / 2)
        };
        if self.level >= INDENT_LIMIT {
            amount %= INDENT_LIMIT;
        }
        for _ in 0..amount + extra {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.level = (self.level + after).max(0);
    }

    /// Removes blanks at the end.
    pub(super) fn trim(&mut self) {
        self.text.truncate(self.text.trim_end_matches(' ').len());
    }
}
