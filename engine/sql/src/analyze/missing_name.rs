//! Errors about names that mean nothing, with the hints that PostgreSQL gives: a near miss, a table that is there but
//! cannot be seen from here, an alias that hides the table's own name.

use helios_types::{PgError, SqlState};

use super::namespace::NamespaceItem;
use super::{Analyzer, at, error};
use crate::query::RteKind;

/// Names further away than this are not offered.
const FUZZY_DISTANCE_MAX: usize = 3;

/// A column of an entry: level (from the outermost) and entry, and the column's name.
type Candidate<'a> = ((usize, usize), &'a str);

/// What a search for a column's near misses has found (`FuzzyAttrMatchState`).
struct Fuzzy<'a> {
    distance: usize,
    first: Option<Candidate<'a>>,
    second: Option<Candidate<'a>>,
    exact: Vec<(usize, usize)>,
}

impl<'a> Fuzzy<'a> {
    fn consider(&mut self, penalty: usize, candidate: Candidate<'a>, wanted: &str) {
        if penalty > self.distance || candidate.1.is_empty() {
            return;
        }
        let column_distance = levenshtein(candidate.1, wanted, self.distance + 1 - penalty);
        if column_distance > wanted.len() / 2 {
            return;
        }
        let distance = column_distance + penalty;
        if distance < self.distance {
            (self.distance, self.first, self.second) = (distance, Some(candidate), None);
        } else if distance == self.distance {
            if self.second.is_some() {
                (self.first, self.second) = (None, None);
            } else if self.first.is_some() {
                self.second = Some(candidate);
            }
        }
    }
}

impl Analyzer<'_> {
    /// 42703, with whatever help there is (`errorMissingColumn`).
    pub(super) fn missing_column(&self, relation: Option<&str>, column: &str, location: i32) -> PgError {
        let message = match relation {
            Some(relation) => format!("column {relation}.{column} does not exist"),
            None => format!("column \"{column}\" does not exist"),
        };
        let missing = error(SqlState::UNDEFINED_COLUMN, message).at(at(location));
        let fuzzy = self.search_for_column(relation, column);
        let alias = |(level, rte): (usize, usize)| self.levels[level].range_table[rte].alias.as_str();
        match fuzzy.exact.as_slice() {
            [] => {}
            [only] => {
                let missing = missing.with_detail(format!(
                    "There is a column named \"{column}\" in table \"{}\", but it cannot be referenced from this part of the query.",
                    alias(*only)
                ));
                return if self.visible_if_lateral(*only) {
                    missing.with_hint("To reference that column, you must mark this subquery with LATERAL.")
                } else if relation.is_none() && self.visible_if_qualified(*only) {
                    missing.with_hint("To reference that column, you must use a table-qualified name.")
                } else {
                    missing
                };
            }
            _ => {
                let missing = missing.with_detail(format!(
                    "There are columns named \"{column}\", but they are in tables that cannot be referenced from this part of the query."
                ));
                return match relation {
                    None => missing.with_hint("Try using a table-qualified name."),
                    Some(_) => missing,
                };
            }
        }
        match (fuzzy.first, fuzzy.second) {
            (Some((rte, name)), None) => {
                missing.with_hint(format!("Perhaps you meant to reference the column \"{}.{name}\".", alias(rte)))
            }
            (Some((rte, name)), Some((other, second))) => missing.with_hint(format!(
                "Perhaps you meant to reference the column \"{}.{name}\" or the column \"{}.{second}\".",
                alias(rte),
                alias(other)
            )),
            _ => missing,
        }
    }

    fn search_for_column<'s>(&'s self, relation: Option<&str>, column: &str) -> Fuzzy<'s> {
        let mut fuzzy = Fuzzy { distance: FUZZY_DISTANCE_MAX + 1, first: None, second: None, exact: Vec::new() };
        for (depth, level) in self.levels.iter().enumerate().rev() {
            for (index, entry) in level.range_table.iter().enumerate() {
                // A join's columns are found in its sides.
                if matches!(entry.kind, RteKind::Join { .. }) {
                    continue;
                }
                let penalty =
                    relation.map_or(0, |relation| levenshtein(relation, &entry.alias, FUZZY_DISTANCE_MAX + 1));
                for candidate in &entry.columns {
                    fuzzy.consider(penalty, ((depth, index), &candidate.name), column);
                }
                if penalty == 0 && entry.columns.iter().any(|candidate| candidate.name == column) {
                    fuzzy.exact.push((depth, index));
                }
            }
        }
        fuzzy
    }

    /// 42P01 for a qualifier that names nothing in FROM (`errorMissingRTE`).
    pub(super) fn missing_relation(&self, schema: Option<&str>, name: &str, location: i32) -> PgError {
        let invalid = || {
            let message = format!("invalid reference to FROM-clause entry for table \"{name}\"");
            error(SqlState::UNDEFINED_TABLE, message).at(at(location))
        };
        let Some((level, rte)) = self.search_for_relation(schema, name) else {
            let message = format!("missing FROM-clause entry for table \"{name}\"");
            return error(SqlState::UNDEFINED_TABLE, message).at(at(location));
        };
        let alias = self.levels[level].range_table[rte].alias.as_str();
        if alias != name {
            let visible = self.find_name(None, alias, location).ok().flatten();
            if visible.is_some_and(|(item, up)| item.rte == rte && self.levels.len() - 1 - up as usize == level) {
                return invalid().with_hint(format!("Perhaps you meant to reference the table alias \"{alias}\"."));
            }
        }
        let missing = invalid().with_detail(format!(
            "There is an entry for table \"{alias}\", but it cannot be referenced from this part of the query."
        ));
        if self.visible_if_lateral((level, rte)) {
            missing.with_hint("To reference that table, you must mark this subquery with LATERAL.")
        } else {
            missing
        }
    }

    fn search_for_relation(&self, schema: Option<&str>, name: &str) -> Option<(usize, usize)> {
        let cte = if schema.is_none() { self.find_cte(name) } else { None };
        let relation = if cte.is_some() { None } else { self.relation_oid(schema, name) };
        for (depth, level) in self.levels.iter().enumerate().rev() {
            for (index, entry) in level.range_table.iter().enumerate() {
                let matches = match &entry.kind {
                    RteKind::Relation { table, .. } => Some(table.oid) == relation,
                    RteKind::System { oid } => Some(*oid) == relation,
                    RteKind::Subquery(_) => !entry.view.is_none() && Some(entry.view) == relation,
                    RteKind::Cte { levels_up, index: slot, .. } => {
                        let up = self.levels.len() - 1 - depth + *levels_up as usize;
                        cte.is_some_and(|(cte_up, cte_slot)| cte_up as usize == up && cte_slot == *slot)
                    }
                    _ => false,
                };
                if matches || entry.alias == name {
                    return Some((depth, index));
                }
            }
        }
        None
    }

    fn item_of(&self, (level, rte): (usize, usize)) -> Option<&NamespaceItem> {
        self.levels[level].namespace.iter().find(|item| item.rte == rte)
    }

    fn visible_if_lateral(&self, entry: (usize, usize)) -> bool {
        !self.current().lateral_active && self.item_of(entry).is_some_and(|item| item.lateral_only && item.lateral_ok)
    }

    fn visible_if_qualified(&self, entry: (usize, usize)) -> bool {
        self.item_of(entry).is_some_and(|item| item.rel_visible && !item.cols_visible)
    }
}

/// Levenshtein distance in characters; anything above `limit` counts as `limit + 1`.
fn levenshtein(a: &str, b: &str, limit: usize) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()].min(limit + 1)
}
