//! Which part of a match belongs to which parenthesis.
//!
//! PostgreSQL's expressions are not Perl's. The match as a whole is the leftmost one, and of those the longest (or the
//! shortest, when the expression's first quantifier says so): `foo` matched by `o|oo` is `oo`. Within it, parts are
//! assigned from left to right, each as long (or short) as it can be while the rest still matches:
//!
//! ```text
//!   (.*)(\d+)(.*)   on abc01234xyz     .  ── (.*)   abc0123
//!                                        └─ .  ── (\d+)  4
//!                                             └─ (.*)    xyz
//! ```
//!
//! Parts without parentheses, back references or mixed preferences need not be taken apart: they stay one automaton (a
//! *plain* part). So the tree is split only where it must be, and where it is split decides the answer in ambiguous
//! cases; the splits here are those of Spencer's compiler, which PostgreSQL uses.

use helios_types::Result;

use super::nfa::{Captured, Program};
use super::parse::{Node, Preference};
use crate::functions::case;

/// What a part prefers and contains.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Traits(u8);

impl Traits {
    const NONE: Traits = Traits(0);
    const LONGER: Traits = Traits(1);
    const SHORTER: Traits = Traits(2);
    const MIXED: Traits = Traits(4);
    const CAPTURE: Traits = Traits(8);
    const BACKREF: Traits = Traits(16);

    fn has(self, other: Traits) -> bool {
        self.0 & other.0 != 0
    }

    fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }

    fn preference(self) -> Traits {
        Traits(self.0 & 3)
    }

    /// As seen from above: both preferences at once are a mixture.
    fn upward(self) -> Traits {
        Traits(self.0 & !3 | if self.0 & 3 == 3 { Traits::MIXED.0 } else { 0 })
    }

    /// Whether a part must be taken apart.
    fn messy(self) -> bool {
        self.has(Traits(Traits::MIXED.0 | Traits::CAPTURE.0 | Traits::BACKREF.0))
    }

    /// Of two parts in a row: the first one's preference counts, if it has one.
    fn combine(self, next: Traits) -> Traits {
        let preference = if self.preference() == Traits::NONE { next.preference() } else { self.preference() };
        self.and(next).upward().and(preference)
    }
}

enum Shape {
    Plain,
    Concat(Box<Tree>, Box<Tree>),
    Alternate(Vec<Tree>),
    Iterate { child: Box<Tree>, min: usize, max: Option<usize> },
    Capture(usize, Box<Tree>),
    Backref { number: usize, min: usize, max: Option<usize> },
}

/// A part of the expression, with the automaton of everything in it.
pub(super) struct Tree {
    shape: Shape,
    traits: Traits,
    pub(super) program: Program,
}

/// Where each parenthesis matched.
pub(super) type Captures = Vec<Option<(usize, usize)>>;

/// Builds trees.
struct Builder<'a> {
    captured: &'a Captured,
}

/// The tree of an expression.
pub(super) fn build(node: &Node, captured: &Captured) -> Result<Tree> {
    Builder { captured }.expression(node)
}

/// Collects what each parenthesis contains.
pub(super) fn collect_captured(node: &Node, captured: &mut Captured) {
    match node {
        Node::Capture(number, inner) => {
            collect_captured(inner, captured);
            captured[*number] = Some((**inner).clone());
        }
        Node::Concat(nodes) | Node::Alternate(nodes) => nodes.iter().for_each(|node| collect_captured(node, captured)),
        Node::Repeat { node, .. } => collect_captured(node, captured),
        Node::Empty | Node::Class(_) | Node::Look(_) | Node::Around { .. } | Node::Backref(_) => {}
    }
}

impl Builder<'_> {
    fn tree(&self, shape: Shape, traits: Traits, node: &Node) -> Result<Tree> {
        Ok(Tree { shape, traits, program: Program::new(node, self.captured)? })
    }

    /// What is between parentheses: branches.
    fn expression(&self, node: &Node) -> Result<Tree> {
        let Node::Alternate(branches) = node else {
            return self.branch(std::slice::from_ref(node));
        };
        let trees = branches.iter().map(|branch| self.branch(std::slice::from_ref(branch)));
        let trees = trees.collect::<Result<Vec<Tree>>>()?;
        let traits = trees.iter().fold(Traits::LONGER, |traits, tree| traits.and(traits.combine(tree.traits)));
        let shape = if traits.messy() { Shape::Alternate(trees) } else { Shape::Plain };
        self.tree(shape, traits, node)
    }

    /// Items one after another: a plain prefix, then, from the first messy item on, a chain.
    fn branch(&self, items: &[Node]) -> Result<Tree> {
        if let [Node::Concat(items)] = items {
            return self.branch(items);
        }
        let whole = Node::Concat(items.to_vec());
        let mut traits = Traits::NONE;
        for (index, item) in items.iter().enumerate() {
            let (atom, min, max, preference) = match item {
                Node::Repeat { max: Some(0), .. } => continue,
                Node::Repeat { node, min, max, preference } => (&**node, *min as usize, *max, *preference),
                other => (other, 1, Some(1), Preference::None),
            };
            let max = max.map(|max| max as usize);
            let preference = match preference {
                Preference::None => Traits::NONE,
                Preference::Longer => Traits::LONGER,
                Preference::Shorter => Traits::SHORTER,
            };
            let tree = self.atom(atom)?;
            let inside = tree.as_ref().map_or(simple_traits(atom), |tree| tree.traits);
            let together = traits.and(preference).and(inside);
            if !matches!(atom, Node::Capture(..) | Node::Backref(_)) && !together.upward().messy() {
                traits = together;
                continue;
            }
            let prefix = self.tree(Shape::Plain, traits, &Node::Concat(items[..index].to_vec()))?;
            let atom = self.quantified(item, atom, tree, (min, max), preference, inside)?;
            let rest = self.branch(&items[index + 1..])?;
            let chain_traits = preference.combine(inside);
            let chain_traits = chain_traits.and(chain_traits.combine(rest.traits));
            let chain = self.tree(
                Shape::Concat(Box::new(atom), Box::new(rest)),
                chain_traits,
                &Node::Concat(items[index..].to_vec()),
            )?;
            let traits = traits.combine(chain.traits);
            return self.tree(Shape::Concat(Box::new(prefix), Box::new(chain)), traits, &whole);
        }
        self.tree(Shape::Plain, traits, &whole)
    }

    /// A messy item: an atom with its quantifier.
    fn quantified(
        &self,
        item: &Node,
        atom: &Node,
        tree: Option<Tree>,
        (min, max): (usize, Option<usize>),
        preference: Traits,
        inside: Traits,
    ) -> Result<Tree> {
        let traits = preference.combine(inside);
        if let Node::Backref(number) = atom {
            return self.tree(Shape::Backref { number: *number, min, max }, traits, item);
        }
        let preferences = Traits(inside.0 & 7);
        let (Some(tree), true) = (tree, inside.has(Traits::CAPTURE.and(Traits::BACKREF)) || (min, max) == (1, Some(1)))
        else {
            return self.tree(Shape::Plain, traits, item);
        };
        if (min, max) == (1, Some(1))
            && (preference == Traits::NONE || preferences == Traits::NONE || preference == preferences)
        {
            return Ok(tree);
        }
        if !inside.has(Traits::CAPTURE.and(Traits::BACKREF)) {
            return self.tree(Shape::Plain, traits, item);
        }
        if min > 0 && !inside.has(Traits::BACKREF) {
            // Only the last repetition's captures count: all before it stay plain.
            let before = Node::Repeat {
                node: Box::new(atom.clone()),
                min: min as u32 - 1,
                max: max.map(|max| max as u32 - 1),
                preference: Preference::None,
            };
            let before = self.tree(Shape::Plain, traits.preference(), &before)?;
            return self.tree(Shape::Concat(Box::new(before), Box::new(tree)), traits, item);
        }
        self.tree(Shape::Iterate { child: Box::new(tree), min, max }, traits, item)
    }

    /// The tree of an atom that has parts.
    fn atom(&self, atom: &Node) -> Result<Option<Tree>> {
        Ok(match atom {
            Node::Empty | Node::Class(_) | Node::Look(_) | Node::Around { .. } | Node::Backref(_) => None,
            Node::Capture(number, inner) => {
                let child = self.expression(inner)?;
                let traits = child.traits.and(Traits::CAPTURE);
                Some(self.tree(Shape::Capture(*number, Box::new(child)), traits, inner)?)
            }
            Node::Concat(_) | Node::Alternate(_) | Node::Repeat { .. } => Some(self.expression(atom)?),
        })
    }
}

/// What an atom without parts prefers and contains.
fn simple_traits(atom: &Node) -> Traits {
    if matches!(atom, Node::Backref(_)) { Traits::BACKREF } else { Traits::NONE }
}

/// Takes matches apart.
pub(super) struct Dissection<'t> {
    /// The whole text.
    pub(super) text: &'t [char],
    /// Whether back references ignore case.
    pub(super) fold: bool,
    /// What was assigned so far.
    pub(super) captures: Captures,
}

impl Tree {
    /// Whether the shortest match is wanted.
    pub(super) fn prefers_shorter(&self) -> bool {
        self.traits.has(Traits::SHORTER)
    }

    /// Whether the automaton alone cannot decide.
    pub(super) fn has_backref(&self) -> bool {
        self.traits.has(Traits::BACKREF)
    }
}

impl Dissection<'_> {
    /// Assigns a span that the part's automaton matches; `false` when a back reference does not.
    pub(super) fn dissect(&mut self, tree: &Tree, start: usize, end: usize) -> bool {
        match &tree.shape {
            Shape::Plain => true,
            Shape::Capture(number, child) => {
                self.captures[*number] = None;
                if !self.dissect(child, start, end) {
                    return false;
                }
                self.captures[*number] = Some((start, end));
                true
            }
            Shape::Concat(left, right) => self.concat(left, right, start, end),
            Shape::Alternate(branches) => branches.iter().any(|branch| {
                let saved = self.captures.clone();
                if branch.program.spans(self.text, start, end) && self.dissect(branch, start, end) {
                    return true;
                }
                self.captures = saved;
                false
            }),
            Shape::Iterate { child, min, max } => self.iterate(child, *min, *max, start, end),
            Shape::Backref { number, min, max } => self.backref(*number, *min, *max, start, end),
        }
    }

    fn concat(&mut self, left: &Tree, right: &Tree, start: usize, end: usize) -> bool {
        let mut middles = Vec::new();
        left.program.ends(self.text, start, end, |middle| {
            middles.push(middle);
            true
        });
        if !left.prefers_shorter() {
            middles.reverse();
        }
        for middle in middles {
            if !right.program.spans(self.text, middle, end) {
                continue;
            }
            let saved = self.captures.clone();
            if self.dissect(left, start, middle) && self.dissect(right, middle, end) {
                return true;
            }
            self.captures = saved;
        }
        false
    }

    /// Divides a span into repetitions, each as long (or short) as it can be, and assigns them; the last one's captures
    /// stay. An empty repetition is tried only where the count would not be reached otherwise.
    fn iterate(&mut self, child: &Tree, min: usize, max: Option<usize>, start: usize, end: usize) -> bool {
        let least = min.max(1);
        let most = max.map_or(end - start, |max| max.min(end - start)).max(least);
        // Per repetition the ends that are still to be tried, the next one last.
        let mut candidates: Vec<Vec<usize>> = Vec::new();
        let mut ends: Vec<usize> = vec![start];
        let mut saved: Vec<Captures> = Vec::new();
        loop {
            let done = ends.len() - 1;
            let from = ends[done];
            if candidates.len() == done {
                let mut untried = Vec::new();
                if done < most && from <= end && (from < end || done < least) {
                    child.program.ends(self.text, from, end, |to| {
                        let needed = done + 1 < least && least - (done + 1) >= end - to;
                        if to > from || to == end || needed {
                            untried.push(to);
                        }
                        true
                    });
                    if child.prefers_shorter() {
                        untried.reverse();
                    }
                }
                candidates.push(untried);
            }
            match candidates[done].pop() {
                Some(to) => {
                    saved.push(self.captures.clone());
                    self.forget(child);
                    if self.dissect(child, from, to) {
                        ends.push(to);
                        if to == end && ends.len() > least {
                            return true;
                        }
                    } else {
                        self.captures = saved.pop().expect("pushed above");
                    }
                }
                None => {
                    candidates.pop();
                    if done == 0 {
                        // No repetition at all remains.
                        return min == 0 && start == end;
                    }
                    ends.pop();
                    self.captures = saved.pop().expect("one per repetition");
                }
            }
        }
    }

    /// Forgets what the parentheses in a part matched.
    fn forget(&mut self, tree: &Tree) {
        match &tree.shape {
            Shape::Plain | Shape::Backref { .. } => {}
            Shape::Capture(number, child) => {
                self.captures[*number] = None;
                self.forget(child);
            }
            Shape::Concat(left, right) => {
                self.forget(left);
                self.forget(right);
            }
            Shape::Alternate(branches) => branches.iter().for_each(|branch| self.forget(branch)),
            Shape::Iterate { child, .. } => self.forget(child),
        }
    }

    /// The span must repeat what the parenthesis matched.
    fn backref(&self, number: usize, min: usize, max: Option<usize>, start: usize, end: usize) -> bool {
        let Some((from, to)) = self.captures[number] else { return false };
        let (what, length) = (&self.text[from..to], to - from);
        let span = &self.text[start..end];
        if length == 0 {
            return span.is_empty() && (min <= 1 || max != Some(0));
        }
        if span.is_empty() {
            return min == 0;
        }
        let count = span.len() / length;
        if !span.len().is_multiple_of(length) || count < min || max.is_some_and(|max| count > max) {
            return false;
        }
        let same = |a: &char, b: &char| {
            a == b || self.fold && (case::lower(*a) == case::lower(*b) || case::upper(*a) == case::upper(*b))
        };
        span.chunks_exact(length).all(|chunk| chunk.iter().zip(what).all(|(a, b)| same(a, b)))
    }
}
