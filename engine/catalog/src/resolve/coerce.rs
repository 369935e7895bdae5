//! Whether and how a value of one type becomes one of another.

use helios_types::{Oid, oid};

use super::types::{CATEGORY_STRING, is_polymorphic};
use super::{Lookup, types::pseudo};
use crate::facts::{self, CastContext, CastMethod, TypeKind};

/// What asks for a coercion: from what happens by itself to what was written out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CoercionContext {
    /// In an expression.
    Implicit,
    /// Storing into a column.
    Assignment,
    /// Assigning to a PL/pgSQL variable.
    Plpgsql,
    /// CAST and `::`.
    Explicit,
}

impl CoercionContext {
    fn allows(self, cast: CastContext) -> bool {
        match cast {
            CastContext::Implicit => true,
            CastContext::Assignment => self >= CoercionContext::Assignment,
            CastContext::Explicit => self >= CoercionContext::Explicit,
        }
    }
}

/// How a coercion is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pathway {
    /// The same bits under another type.
    Relabel,
    /// By calling this function.
    Function(Oid),
    /// Element by element.
    ArrayCoerce,
    /// Through the source's output and the target's input function.
    ViaIo,
}

impl Lookup<'_> {
    /// How a value of type `source` becomes one of type `target`; `None` when it does not in this context. Polymorphic
    /// targets, unknown literals and rows are not its business: see [`Lookup::can_coerce`].
    pub fn coercion_pathway(&self, source: Oid, target: Oid, context: CoercionContext) -> Option<Pathway> {
        let (source, target) = (self.base_type(source), self.base_type(target));
        if source == target {
            return Some(Pathway::Relabel);
        }
        let by_text = (context == CoercionContext::Plpgsql).then_some(Pathway::ViaIo);
        if let Some(cast) = facts::casts().find(source, target) {
            if !context.allows(cast.context) {
                return by_text;
            }
            return Some(match cast.method {
                CastMethod::Function => Pathway::Function(cast.function),
                CastMethod::Binary => Pathway::Relabel,
                CastMethod::InOut => Pathway::ViaIo,
            });
        }
        if !matches!(target, oid::OIDVECTOR | oid::INT2VECTOR)
            && let (Some(from), Some(to)) = (self.element_type(source), self.element_type(target))
            && self.coercion_pathway(from, to, context).is_some()
        {
            return Some(Pathway::ArrayCoerce);
        }
        // Every type becomes a string on assignment, and is read from one when asked.
        let to_string = context >= CoercionContext::Assignment && self.category(target) == CATEGORY_STRING;
        let from_string = context >= CoercionContext::Explicit && self.category(source) == CATEGORY_STRING;
        if to_string || from_string { Some(Pathway::ViaIo) } else { by_text }
    }

    /// Whether values of these types can all become values of those: `inputs[i]` of `targets[i]`. Polymorphic targets
    /// must also agree with one another.
    pub fn can_coerce(&self, inputs: &[Oid], targets: &[Oid], context: CoercionContext) -> bool {
        let one = |(&input, &target): (&Oid, &Oid)| {
            input == target
                || target == oid::ANY
                || is_polymorphic(target)
                || input == oid::UNKNOWN
                || self.coercion_pathway(input, target, context).is_some()
                || (input == oid::RECORD && self.is_complex(target))
                || (target == oid::RECORD && self.is_complex(input))
                || (target == oid::RECORD_ARRAY && self.is_complex_array(input))
        };
        let mut pairs = inputs.iter().zip(targets);
        pairs.all(one)
            && (!targets.iter().any(|&target| is_polymorphic(target)) || self.generic_types_agree(inputs, targets))
    }

    /// Whether a value of `source` is one of `target` without any work (`IsBinaryCoercible`).
    pub fn is_binary_coercible(&self, source: Oid, target: Oid) -> bool {
        if source == target || matches!(target, oid::ANY | oid::ANYELEMENT | oid::ANYCOMPATIBLE) {
            return true;
        }
        let source = self.base_type(source);
        if source == target {
            return true;
        }
        let kind = self.type_by_oid(source).map(|row| row.kind);
        let special = match target {
            oid::ANYARRAY | oid::ANYCOMPATIBLEARRAY => self.element_type(source).is_some(),
            oid::ANYNONARRAY | oid::ANYCOMPATIBLENONARRAY => self.element_type(source).is_none(),
            oid::ANYENUM => kind == Some(TypeKind::Enum),
            oid::ANYRANGE | oid::ANYCOMPATIBLERANGE => kind == Some(TypeKind::Range),
            pseudo::ANYMULTIRANGE | pseudo::ANYCOMPATIBLEMULTIRANGE => kind == Some(TypeKind::Multirange),
            oid::RECORD => self.is_complex(source),
            oid::RECORD_ARRAY => self.is_complex_array(source),
            _ => false,
        };
        special
            || facts::casts()
                .find(source, target)
                .is_some_and(|cast| cast.method == CastMethod::Binary && cast.context == CastContext::Implicit)
    }

    /// The function that fits a value of a type to a modifier of that same type (`varchar(n)`, `numeric(p,s)`), and
    /// whether it takes a third argument (explicit or not).
    pub fn length_coercion(&self, target: Oid) -> Option<(Oid, bool)> {
        let target = self.base_type(target);
        let cast = facts::casts().find(target, target)?;
        let proc = facts::procs().by_oid(cast.function)?;
        Some((cast.function, proc.arg_count > 2))
    }
}
