//! Names that PostgreSQL makes up: `t_pkey`, `t_a_b_idx`, `t_id_seq`, `t_a_check1`.

use helios_catalog::CatalogSnapshot;
use helios_types::{Oid, Result};

use super::{DdlContext, NameSpace};

/// Longest name, in bytes (`NAMEDATALEN - 1`).
pub(super) const NAME_BYTES_MAX: usize = 63;

/// `name1_name2_label`, the longer of the two names cut until it fits (`makeObjectName`).
pub(super) fn make_object_name(name1: &str, name2: Option<&str>, label: Option<&str>) -> String {
    let overhead = name2.map_or(0, |_| 1) + label.map_or(0, |label| label.len() + 1);
    let room = NAME_BYTES_MAX - overhead.min(NAME_BYTES_MAX);
    let (mut length1, mut length2) = (name1.len(), name2.map_or(0, str::len));
    while length1 + length2 > room {
        if length1 > length2 {
            length1 -= 1;
        } else {
            length2 -= 1;
        }
    }
    let mut name = clip(name1, length1).to_owned();
    for part in [name2.map(|name2| clip(name2, length2)), label].into_iter().flatten() {
        name.push('_');
        name.push_str(part);
    }
    name
}

/// At most so many bytes of a name, whole characters.
pub(super) fn clip(name: &str, bytes: usize) -> &str {
    if name.len() <= bytes {
        return name;
    }
    let cut = (0..=bytes).rev().find(|&at| name.is_char_boundary(at));
    &name[..cut.expect("0 is a character boundary")]
}

/// The columns' names joined, as they go into the name of an index (`ChooseIndexNameAddition`).
pub(super) fn index_name_addition<'n>(columns: impl IntoIterator<Item = &'n str>) -> String {
    let mut joined = String::new();
    for column in columns {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(clip(column, NAME_BYTES_MAX));
        if joined.len() > NAME_BYTES_MAX {
            break;
        }
    }
    joined
}

/// `label`, `label1`, `label2`, ...
fn numbered(label: &str) -> impl Iterator<Item = String> {
    std::iter::once(label.to_owned()).chain((1..).map(move |nth: u64| format!("{label}{nth}")))
}

impl DdlContext<'_> {
    /// Makes up a relation's name that is free, and claims it (`ChooseRelationName`).
    pub(super) async fn claim_new_relation(
        &self,
        parts: (&str, Option<&str>, &str),
        schema: Oid,
        oid: Oid,
        is_constraint: bool,
    ) -> Result<String> {
        let (name1, name2, label) = parts;
        for label in numbered(label) {
            let name = make_object_name(name1, name2, Some(&label));
            if self.snapshot().relation_in(schema, &name).is_some()
                || (is_constraint && constraint_name_exists(self.snapshot(), schema, &name))
            {
                continue;
            }
            if self.claim_name(NameSpace::Relation, schema, &name, oid).await?.is_none() {
                return Ok(name);
            }
        }
        unreachable!("numbers do not run out")
    }
}

/// Makes up a constraint's name that no constraint of the schema has and that is not among `others`
/// (`ChooseConstraintName`).
pub(super) fn choose_constraint_name(
    catalog: &CatalogSnapshot,
    schema: Oid,
    others: &[String],
    parts: (&str, Option<&str>, &str),
) -> String {
    let (name1, name2, label) = parts;
    numbered(label)
        .map(|label| make_object_name(name1, name2, Some(&label)))
        .find(|name| !others.contains(name) && !constraint_name_exists(catalog, schema, name))
        .expect("numbers do not run out")
}

/// Whether a constraint of a schema's tables has this name.
fn constraint_name_exists(catalog: &CatalogSnapshot, schema: Oid, name: &str) -> bool {
    let mut tables = catalog.tables().filter(|table| table.schema == schema);
    tables.any(|table| table.constraints.iter().any(|constraint| constraint.name == name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_cut_to_fit() {
        let long = "a".repeat(63);
        assert_eq!(make_object_name(&long, None, Some("pkey")), format!("{}_pkey", "a".repeat(58)));
        let name = make_object_name(&long, Some("b"), Some("seq"));
        assert_eq!(name, format!("{}_b_seq", "a".repeat(57)));
        let name = make_object_name(&long, Some(&"b".repeat(63)), Some("seq"));
        assert_eq!(name, format!("{}_{}_seq", "a".repeat(29), "b".repeat(29)));
        assert_eq!(make_object_name(&"ä".repeat(31), None, Some("pkey")), format!("{}_pkey", "ä".repeat(29)));
    }
}
