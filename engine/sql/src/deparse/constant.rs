//! Constants (`get_const_expr`).

use helios_catalog::facts;
use helios_catalog::facts::{quote_identifier, quote_qualified};
use helios_types::{Datum, Oid, oid};

use super::Printer;
use super::buffer::Buffer;
use crate::expr::ExprType;

/// Whether a constant's type is shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Label {
    Never,
    /// Unless it reads back as that type without.
    AsNeeded,
}

impl Printer<'_> {
    pub(super) fn constant(&self, value: &Datum, ty: ExprType, label: Label, out: &mut Buffer) {
        let type_name = || self.lookup.format_type_with(ty.oid, ty.typmod);
        if value.is_null() {
            out.push("NULL");
            if label == Label::AsNeeded {
                out.push("::");
                out.push(&type_name());
            }
            return;
        }
        let text = self.constant_text(value, ty.oid);
        let mut needs_label = match ty.oid {
            oid::INT4 if !text.starts_with('-') => {
                out.push(&text);
                false
            }
            oid::NUMERIC if text.starts_with(|c: char| c.is_ascii_digit()) && text.contains(['e', 'E', '.']) => {
                out.push(&text);
                ty.typmod >= 0
            }
            oid::BOOL => {
                out.push(if text == "t" { "true" } else { "false" });
                false
            }
            _ => {
                out.push(&quote_literal(&text));
                true
            }
        };
        if ty.oid == oid::UNKNOWN {
            needs_label = false;
        }
        if needs_label && label == Label::AsNeeded {
            out.push("::");
            out.push(&type_name());
        }
    }

    /// A constant as its type prints it.
    pub(super) fn constant_text(&self, value: &Datum, type_oid: Oid) -> String {
        if let (Datum::U32(number), Some(name)) = (value, self.registered_name(value, type_oid)) {
            return if *number == 0 { "-".to_owned() } else { name };
        }
        let mut text = String::new();
        helios_types::io::output(type_oid, value, self.style, &mut text);
        text
    }

    /// The name that a regclass or one of its kin prints; `None` when it prints its number.
    fn registered_name(&self, value: &Datum, type_oid: Oid) -> Option<String> {
        let Datum::U32(number) = value else { return None };
        let oid = Oid(*number);
        if oid.is_none() && type_oid != oid::OID && self.is_registered(type_oid) {
            return Some("-".to_owned());
        }
        match type_oid {
            oid::REGCLASS => self.lookup.catalog.relation(oid).map(|_| self.relation_name(oid)),
            oid::REGTYPE => self.lookup.type_by_oid(oid).map(|_| self.lookup.format_type(oid)),
            oid::REGNAMESPACE => self.lookup.catalog.schema_name(oid).map(|name| quote_identifier(name).into_owned()),
            oid::REGROLE => self.lookup.catalog.role_name(oid).map(|name| quote_identifier(name).into_owned()),
            oid::REGPROC => facts::procs().by_oid(oid).map(|proc| {
                if facts::procs().by_name(proc.name).len() == 1 {
                    quote_identifier(proc.name).into_owned()
                } else {
                    quote_qualified(self.lookup.catalog.schema_name(proc.namespace).unwrap_or("pg_catalog"), proc.name)
                }
            }),
            _ => None,
        }
    }

    fn is_registered(&self, type_oid: Oid) -> bool {
        matches!(
            type_oid,
            oid::REGCLASS | oid::REGTYPE | oid::REGNAMESPACE | oid::REGROLE | oid::REGPROC | oid::REGPROCEDURE
        )
    }

    /// A relation's name, qualified when the path does not find it (`generate_relation_name`).
    pub(super) fn relation_name(&self, relation: Oid) -> String {
        let Some(found) = self.lookup.catalog.relation(relation) else { return relation.to_string() };
        if self.lookup.catalog.is_visible(self.lookup.search_path, relation) {
            return quote_identifier(found.name()).into_owned();
        }
        quote_qualified(self.lookup.catalog.schema_name(found.schema()).unwrap_or("?"), found.name())
    }
}

/// Text as a string literal.
pub(super) fn quote_literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
