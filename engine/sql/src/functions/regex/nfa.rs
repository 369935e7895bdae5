//! Nondeterministic automata over characters: where can a match that begins here end?
//!
//! A program is simulated in time proportional to text and program (Thompson, "Regular expression search algorithm",
//! 1968), whatever the expression. Looking around is a condition on a step, decided by a program of its own.
//! Back references are programs of what they refer to: an over-approximation that [`super::tree`] verifies.

use std::sync::Arc;

use helios_types::Result;

use super::class::{Class, is_word};
use super::parse::{Look, Node, invalid};

/// Most steps of a program.
const STEPS_MAX: usize = 200_000;

enum Step {
    /// Consumes a character of the class and goes on to the next step.
    Class(Arc<Class>),
    /// Goes on to both.
    Split(usize, usize),
    Jump(usize),
    Look(Look),
    Around {
        ahead: bool,
        negated: bool,
        program: Arc<Program>,
    },
    Match,
}

/// A compiled expression.
pub(super) struct Program {
    steps: Vec<Step>,
}

/// The sub-expressions that back references stand for, by number of the capture.
pub(super) type Captured = Vec<Option<Node>>;

impl Program {
    /// Compiles an expression.
    pub(super) fn new(node: &Node, captured: &Captured) -> Result<Program> {
        let mut program = Program { steps: Vec::new() };
        program.node(node, captured)?;
        program.push(Step::Match)?;
        Ok(program)
    }

    fn push(&mut self, step: Step) -> Result<usize> {
        if self.steps.len() >= STEPS_MAX {
            return Err(invalid("regular expression is too complex"));
        }
        self.steps.push(step);
        Ok(self.steps.len() - 1)
    }

    fn node(&mut self, node: &Node, captured: &Captured) -> Result<()> {
        match node {
            Node::Empty => {}
            Node::Class(class) => {
                self.push(Step::Class(class.clone()))?;
            }
            Node::Look(look) => {
                self.push(Step::Look(*look))?;
            }
            Node::Around { ahead, negated, node } => {
                let program = Arc::new(Program::new(node, captured)?);
                self.push(Step::Around { ahead: *ahead, negated: *negated, program })?;
            }
            Node::Concat(items) => items.iter().try_for_each(|item| self.node(item, captured))?,
            Node::Alternate(branches) => {
                let mut ends = Vec::new();
                for (index, branch) in branches.iter().enumerate() {
                    if index + 1 == branches.len() {
                        self.node(branch, captured)?;
                        break;
                    }
                    let split = self.push(Step::Match)?;
                    self.node(branch, captured)?;
                    ends.push(self.push(Step::Match)?);
                    self.steps[split] = Step::Split(split + 1, self.steps.len());
                }
                let end = self.steps.len();
                ends.into_iter().for_each(|jump| self.steps[jump] = Step::Jump(end));
            }
            Node::Repeat { node, min, max, .. } => {
                (0..*min).try_for_each(|_| self.node(node, captured))?;
                match max {
                    None => {
                        let split = self.push(Step::Match)?;
                        self.node(node, captured)?;
                        self.push(Step::Jump(split))?;
                        self.steps[split] = Step::Split(split + 1, self.steps.len());
                    }
                    Some(max) => {
                        let mut splits = Vec::new();
                        for _ in *min..*max {
                            splits.push(self.push(Step::Match)?);
                            self.node(node, captured)?;
                        }
                        let end = self.steps.len();
                        splits.into_iter().for_each(|split| self.steps[split] = Step::Split(split + 1, end));
                    }
                }
            }
            Node::Capture(_, node) => self.node(node, captured)?,
            Node::Backref(number) => {
                let node = captured[*number].as_ref().expect("the parser checked that the group is closed");
                self.node(node, captured)?;
            }
        }
        Ok(())
    }

    /// Visits the ends, in ascending order, of matches that begin at `start` and end at `limit` at the latest, until
    /// `visit` answers `false`.
    pub(super) fn ends(&self, text: &[char], start: usize, limit: usize, mut visit: impl FnMut(usize) -> bool) {
        let mut threads = Threads::new(self.steps.len());
        threads.add(self, text, 0, start);
        let mut at = start;
        loop {
            if threads.matched && !visit(at) {
                return;
            }
            if at >= limit || threads.list.is_empty() {
                return;
            }
            threads.advance(self, text, at);
            at += 1;
        }
    }

    /// The longest match's end.
    pub(super) fn longest(&self, text: &[char], start: usize, limit: usize) -> Option<usize> {
        let mut longest = None;
        self.ends(text, start, limit, |end| {
            longest = Some(end);
            true
        });
        longest
    }

    /// The shortest match's end.
    pub(super) fn shortest(&self, text: &[char], start: usize, limit: usize) -> Option<usize> {
        let mut shortest = None;
        self.ends(text, start, limit, |end| {
            shortest = Some(end);
            false
        });
        shortest
    }

    /// Whether a match spans exactly this.
    pub(super) fn spans(&self, text: &[char], start: usize, end: usize) -> bool {
        self.longest(text, start, end) == Some(end)
    }

    /// Whether some match begins at `from` or later.
    pub(super) fn occurs(&self, text: &[char], from: usize) -> bool {
        let mut threads = Threads::new(self.steps.len());
        for at in from..=text.len() {
            threads.add(self, text, 0, at);
            if threads.matched {
                return true;
            }
            if at < text.len() {
                threads.advance(self, text, at);
                if threads.matched {
                    return true;
                }
            }
        }
        false
    }

    /// Whether some match ends at `end`.
    fn ends_at(&self, text: &[char], end: usize) -> bool {
        let mut threads = Threads::new(self.steps.len());
        for at in 0..=end {
            threads.add(self, text, 0, at);
            if at == end {
                return threads.matched;
            }
            threads.advance(self, text, at);
        }
        false
    }
}

/// The steps that consume, reached at a position.
struct Threads {
    list: Vec<usize>,
    reached: Vec<bool>,
    touched: Vec<usize>,
    matched: bool,
    stack: Vec<usize>,
}

impl Threads {
    fn new(steps: usize) -> Threads {
        Threads {
            list: Vec::new(),
            reached: vec![false; steps],
            touched: Vec::new(),
            matched: false,
            stack: Vec::new(),
        }
    }

    /// Follows what consumes nothing.
    fn add(&mut self, program: &Program, text: &[char], step: usize, at: usize) {
        self.stack.push(step);
        while let Some(step) = self.stack.pop() {
            if std::mem::replace(&mut self.reached[step], true) {
                continue;
            }
            self.touched.push(step);
            match &program.steps[step] {
                Step::Class(_) => self.list.push(step),
                Step::Split(first, second) => self.stack.extend([*second, *first]),
                Step::Jump(target) => self.stack.push(*target),
                Step::Look(look) => {
                    if holds(*look, text, at) {
                        self.stack.push(step + 1);
                    }
                }
                Step::Around { ahead, negated, program: around } => {
                    let found =
                        if *ahead { around.shortest(text, at, text.len()).is_some() } else { around.ends_at(text, at) };
                    if found != *negated {
                        self.stack.push(step + 1);
                    }
                }
                Step::Match => self.matched = true,
            }
        }
    }

    /// Consumes the character at a position.
    fn advance(&mut self, program: &Program, text: &[char], at: usize) {
        let before = std::mem::take(&mut self.list);
        for step in self.touched.drain(..) {
            self.reached[step] = false;
        }
        self.matched = false;
        let char = text[at];
        for step in &before {
            if let Step::Class(class) = &program.steps[*step]
                && class.contains(char)
            {
                self.add(program, text, step + 1, at + 1);
            }
        }
    }
}

/// Whether a place is what is looked for.
fn holds(look: Look, text: &[char], at: usize) -> bool {
    let before = || at > 0 && is_word(text[at - 1]);
    let after = || at < text.len() && is_word(text[at]);
    match look {
        Look::TextStart => at == 0,
        Look::TextEnd => at == text.len(),
        Look::LineStart => at == 0 || text[at - 1] == '\n',
        Look::LineEnd => at == text.len() || text[at] == '\n',
        Look::WordStart => !before() && after(),
        Look::WordEnd => before() && !after(),
        Look::WordEdge => before() != after(),
        Look::NotWordEdge => before() == after(),
    }
}
