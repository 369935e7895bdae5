//! Sets of characters.
//!
//! The named classes are those of PostgreSQL's builtin provider under `C.UTF-8`: letters and spaces by Unicode's
//! properties, digits the ASCII ones, punctuation what Unicode calls punctuation or symbol.

use regex_syntax::hir::{Class as HirClass, ClassUnicode, ClassUnicodeRange, HirKind};

use crate::functions::case;

/// A set of characters: ranges in ascending order, not touching one another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Class {
    ascii: [u64; 2],
    set: Ranges,
}

type Ranges = Vec<(char, char)>;

impl Class {
    /// One character; with its other case when `fold`.
    pub(super) fn single(char: char, fold: bool) -> Class {
        let mut set = Set::default();
        set.add(char, char, fold);
        set.finish(false)
    }

    /// Every character; all but newline when `but_newline`.
    pub(super) fn any(but_newline: bool) -> Class {
        let mut set = Set::default();
        if but_newline {
            set.add('\n', '\n', false);
        }
        set.finish(true)
    }

    /// Whether a character is in the set.
    #[inline]
    pub(super) fn contains(&self, char: char) -> bool {
        let code = char as u32;
        if code < 128 {
            return self.ascii[code as usize / 64] >> (code % 64) & 1 == 1;
        }
        let after = self.set.partition_point(|(first, _)| *first <= char);
        after > 0 && char <= self.set[after - 1].1
    }

    /// For the automaton.
    pub(super) fn to_hir(&self) -> HirClass {
        HirClass::Unicode(ClassUnicode::new(self.set.iter().map(|(first, last)| ClassUnicodeRange::new(*first, *last))))
    }
}

/// A set under construction.
#[derive(Default)]
pub(super) struct Set(ClassUnicodeSet);

type ClassUnicodeSet = Option<ClassUnicode>;

impl Set {
    fn class(&mut self) -> &mut ClassUnicode {
        self.0.get_or_insert_with(ClassUnicode::empty)
    }

    /// Adds a range; with other cases when `fold`.
    pub(super) fn add(&mut self, first: char, last: char, fold: bool) {
        self.class().push(ClassUnicodeRange::new(first, last));
        if fold {
            for char in first..=last {
                let (lower, upper) = (case::lower(char), case::upper(char));
                for other in [lower, upper] {
                    if other != char {
                        self.class().push(ClassUnicodeRange::new(other, other));
                    }
                }
            }
        }
    }

    /// Adds a named class, or its complement; `None` when the name is unknown. Under `fold` upper and lower are alpha.
    pub(super) fn add_named(&mut self, name: &str, complement: bool, fold: bool) -> Option<()> {
        let syntax = match name {
            "alpha" => r"\p{Alphabetic}",
            "digit" => "[0-9]",
            "alnum" => r"[\p{Alphabetic}0-9]",
            "word" => r"[\p{Alphabetic}0-9_]",
            "upper" | "lower" if fold => r"\p{Alphabetic}",
            "upper" => r"\p{Uppercase}",
            "lower" => r"\p{Lowercase}",
            "space" => r"\p{White_Space}",
            "blank" => r"[\t\p{Zs}]",
            "cntrl" => r"\p{Cc}",
            "punct" => r"[[\p{P}\p{S}]--\p{Alphabetic}]",
            "graph" => r"[^\p{Cc}\p{Cs}\p{Cn}\p{White_Space}]",
            "print" => r"[[^\p{Cc}\p{Cs}\p{Cn}\p{White_Space}]\p{Zs}]",
            "xdigit" => "[0-9A-Fa-f]",
            "ascii" => r"[\x00-\x7F]",
            _ => return None,
        };
        let mut named = unicode(syntax);
        if complement {
            named.negate();
        }
        self.class().union(&named);
        Some(())
    }

    /// The finished set, or everything outside of it.
    pub(super) fn finish(self, negated: bool) -> Class {
        let mut class = self.0.unwrap_or_else(ClassUnicode::empty);
        if negated {
            class.negate();
        }
        let set: Ranges = class.ranges().iter().map(|range| (range.start(), range.end())).collect();
        let mut ascii = [0; 2];
        for (first, last) in &set {
            for code in *first as u32..=(*last as u32).min(127) {
                ascii[code as usize / 64] |= 1 << (code % 64);
            }
        }
        Class { ascii, set }
    }
}

/// A class written in the automaton library's syntax.
fn unicode(syntax: &str) -> ClassUnicode {
    match regex_syntax::parse(syntax).map(|hir| hir.into_kind()) {
        Ok(HirKind::Class(HirClass::Unicode(class))) => class,
        other => unreachable!("{syntax} is a class: {other:?}"),
    }
}

/// Whether a character is a word's: what `\m`, `\M` and `\y` look at.
pub(super) fn is_word(char: char) -> bool {
    char == '_' || char.is_ascii_digit() || char.is_alphabetic()
}
