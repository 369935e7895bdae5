//! The fast engine: expressions that the automaton library can decide.

use regex_automata::meta;
use regex_syntax::hir::{Hir, Look as HirLook, Repetition};

use super::parse::{Look, Node, Preference};

/// Memory for the library's compiled form; an expression that needs more is simulated.
const BYTES_MAX: usize = 4 << 20;

/// The library's form of an expression, if it has one.
pub(super) fn build(node: &Node) -> Option<meta::Regex> {
    let hir = convert(node)?;
    let config = meta::Config::new().nfa_size_limit(Some(BYTES_MAX)).hybrid_cache_capacity(1 << 20);
    meta::Builder::new().configure(config).build_from_hir(&hir).ok()
}

fn convert(node: &Node) -> Option<Hir> {
    Some(match node {
        Node::Empty => Hir::empty(),
        Node::Class(class) => Hir::class(class.to_hir()),
        Node::Look(look) => Hir::look(match look {
            Look::TextStart => HirLook::Start,
            Look::TextEnd => HirLook::End,
            Look::LineStart => HirLook::StartLF,
            Look::LineEnd => HirLook::EndLF,
            Look::WordStart | Look::WordEnd | Look::WordEdge | Look::NotWordEdge => return None,
        }),
        Node::Around { .. } | Node::Backref(_) => return None,
        Node::Concat(nodes) => Hir::concat(nodes.iter().map(convert).collect::<Option<Vec<Hir>>>()?),
        Node::Alternate(nodes) => Hir::alternation(nodes.iter().map(convert).collect::<Option<Vec<Hir>>>()?),
        Node::Repeat { node, min, max, preference } => Hir::repetition(Repetition {
            min: *min,
            max: *max,
            greedy: *preference != Preference::Shorter,
            sub: Box::new(convert(node)?),
        }),
        Node::Capture(_, node) => convert(node)?,
    })
}
