//! `pg_class` and what hangs on it: indexes, constraints, sequences, rules.

use helios_types::{Datum, Oid, oid};

use super::attributes::attribute_default_oid;
use super::value::{Letter, Null, array, int2_vector, oid_vector, row, text_array};
use super::{Row, Source};
use crate::facts;
use crate::model::{ConstraintKind, POSTGRES_ROLE, View};

/// `pg_am.oid` of heap, which is what tables say they are.
const HEAP: Oid = Oid(2);
/// The transaction id that everything old has.
const FIRST_XID: Oid = Oid(3);

/// `pg_class.oid` of `pg_class`.
pub(super) const PG_CLASS: Oid = Oid(1259);
/// `pg_class.oid` of `pg_attrdef`.
pub(super) const PG_ATTRDEF: Oid = Oid(2604);
/// `pg_class.oid` of `pg_constraint`.
pub(super) const PG_CONSTRAINT: Oid = Oid(2606);
/// `pg_class.oid` of `pg_namespace`.
pub(super) const PG_NAMESPACE: Oid = Oid(2615);
/// `pg_class.oid` of `pg_rewrite`.
pub(super) const PG_REWRITE: Oid = Oid(2618);

/// The OID of a view's rule, derived likewise.
pub(super) fn rule_oid(view: Oid) -> Oid {
    attribute_default_oid(view, 0)
}

/// A row of `pg_class` before it is one.
struct Class<'a> {
    oid: Oid,
    name: &'a str,
    namespace: Oid,
    row_type: Oid,
    owner: Oid,
    access_method: Oid,
    file: Oid,
    tuples: f32,
    has_index: bool,
    shared: bool,
    persistence: u8,
    kind: u8,
    columns: i16,
    checks: i16,
    has_rules: bool,
    replica_identity: u8,
    options: Option<&'a [&'static str]>,
}

impl Class<'_> {
    fn row(self) -> Row {
        let has_storage = matches!(self.kind, b'r');
        let xid = if has_storage { FIRST_XID } else { Oid::NONE };
        let minimum_multixact = Oid(u32::from(has_storage));
        row![
            self.oid,
            self.name,
            self.namespace,
            self.row_type,
            Oid::NONE,
            self.owner,
            self.access_method,
            self.file,
            Oid::NONE,
            0i32,
            self.tuples,
            0i32,
            0i32,
            Oid::NONE,
            self.has_index,
            self.shared,
            Letter(self.persistence),
            Letter(self.kind),
            self.columns,
            self.checks,
            self.has_rules,
            false,
            false,
            false,
            false,
            true,
            Letter(self.replica_identity),
            false,
            Oid::NONE,
            Datum::U32(xid.0),
            Datum::U32(minimum_multixact.0),
            Null,
            self.options.map(|options| text_array(options.iter().copied())),
            Null,
        ]
    }
}

fn count(length: usize) -> i16 {
    i16::try_from(length).expect("a relation has fewer than 32768 columns")
}

pub(super) fn pg_class(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::relations().all().map(system_class).collect();
    for table in source.catalog.tables() {
        let checks = table.constraints.iter().filter(|c| matches!(c.kind, ConstraintKind::Check { .. })).count();
        let class = Class {
            oid: table.oid,
            name: &table.name,
            namespace: table.schema,
            row_type: table.row_type,
            owner: table.owner,
            access_method: HEAP,
            file: table.oid,
            tuples: source.context.row_estimate(table.oid),
            has_index: !table.indexes.is_empty(),
            columns: count(table.columns.len()),
            checks: count(checks),
            ..blank(b'r')
        };
        rows.push(class.row());
    }
    for index in source.catalog.indexes() {
        let class = Class {
            oid: index.oid,
            name: &index.name,
            namespace: index.schema,
            owner: source.catalog.table(index.table).map_or(POSTGRES_ROLE, |table| table.owner),
            access_method: facts::BTREE,
            file: index.oid,
            tuples: 0.0,
            columns: count(index.keys.len() + index.include.len()),
            replica_identity: b'n',
            ..blank(b'i')
        };
        rows.push(class.row());
    }
    for sequence in source.catalog.sequences() {
        let class = Class {
            oid: sequence.oid,
            name: &sequence.name,
            namespace: sequence.schema,
            owner: sequence.owner,
            file: sequence.oid,
            tuples: 1.0,
            columns: 3,
            replica_identity: b'n',
            ..blank(b'S')
        };
        rows.push(class.row());
    }
    for view in source.catalog.views() {
        let class = Class {
            oid: view.oid,
            name: &view.name,
            namespace: view.schema,
            row_type: view.row_type,
            owner: view.owner,
            columns: count(view.columns.len()),
            has_rules: true,
            replica_identity: b'n',
            ..blank(b'v')
        };
        rows.push(class.row());
    }
    rows
}

fn blank(kind: u8) -> Class<'static> {
    Class {
        oid: Oid::NONE,
        name: "",
        namespace: Oid::NONE,
        row_type: Oid::NONE,
        owner: Oid::NONE,
        access_method: Oid::NONE,
        file: Oid::NONE,
        tuples: -1.0,
        has_index: false,
        shared: false,
        persistence: b'p',
        kind,
        columns: 0,
        checks: 0,
        has_rules: false,
        replica_identity: b'd',
        options: None,
    }
}

fn system_class(relation: &facts::Relation) -> Row {
    let class = Class {
        oid: relation.oid,
        name: relation.name,
        namespace: relation.namespace,
        row_type: relation.row_type,
        owner: POSTGRES_ROLE,
        access_method: relation.access_method,
        file: if relation.kind == b'v' { Oid::NONE } else { relation.oid },
        has_index: relation.has_index,
        shared: relation.shared,
        persistence: relation.persistence,
        columns: relation.column_count,
        checks: relation.check_count,
        has_rules: relation.has_rules,
        replica_identity: relation.replica_identity,
        options: relation.options.as_deref(),
        ..blank(relation.kind)
    };
    class.row()
}

pub(super) fn pg_index(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::indexes()
        .iter()
        .map(|index| {
            row![
                index.index,
                index.relation,
                index.column_count,
                index.key_count,
                index.unique,
                index.nulls_not_distinct,
                index.primary,
                false,
                index.immediate,
                false,
                true,
                false,
                true,
                true,
                false,
                int2_vector(index.keys.iter().copied()),
                oid_vector(index.collations.iter().copied()),
                oid_vector(index.classes.iter().copied()),
                int2_vector(index.options.iter().copied()),
                Null,
                Null,
            ]
        })
        .collect();
    for index in source.catalog.indexes() {
        let keys = &index.keys;
        let expressions: Vec<&str> = keys.iter().filter_map(|key| key.expression.as_deref()).collect();
        let attnums = keys.iter().map(|key| key.attnum).chain(index.include.iter().copied());
        let option = |descending: bool, nulls_first: bool| i16::from(descending) | i16::from(nulls_first) << 1;
        rows.push(row![
            index.oid,
            index.table,
            count(keys.len() + index.include.len()),
            count(keys.len()),
            index.unique,
            index.nulls_not_distinct,
            index.primary,
            false,
            true,
            false,
            true,
            false,
            true,
            true,
            false,
            int2_vector(attnums),
            oid_vector(keys.iter().map(|key| key.collation)),
            oid_vector(keys.iter().map(|key| key.opclass)),
            int2_vector(keys.iter().map(|key| option(key.descending, key.nulls_first))),
            (!expressions.is_empty()).then(|| expressions.join(", ")),
            index.predicate.as_deref(),
        ]);
    }
    rows
}

/// A row of `pg_constraint`.
#[allow(clippy::too_many_arguments)]
fn constraint_row(
    (oid, name, namespace): (Oid, &str, Oid),
    kind: u8,
    relation: Oid,
    domain: Oid,
    index: Oid,
    keys: Vec<i16>,
    expression: Option<&str>,
) -> Row {
    let keys = if keys.is_empty() { Datum::Null } else { array(oid::INT2, keys) };
    row![
        oid,
        name,
        namespace,
        Letter(kind),
        false,
        false,
        true,
        true,
        relation,
        domain,
        index,
        Oid::NONE,
        Oid::NONE,
        Letter(b' '),
        Letter(b' '),
        Letter(b' '),
        true,
        0i16,
        matches!(kind, b'p' | b'u'),
        false,
        keys,
        Null,
        Null,
        Null,
        Null,
        Null,
        Null,
        expression,
    ]
}

pub(super) fn pg_constraint(source: &Source<'_>) -> Vec<Row> {
    let mut rows: Vec<Row> = facts::constraints()
        .iter()
        .map(|c| {
            let expression = c.definition.strip_prefix("CHECK (").and_then(|text| text.strip_suffix(')'));
            let keys = c.keys.to_vec();
            constraint_row((c.oid, c.name, c.namespace), c.kind, c.relation, c.domain, c.index, keys, expression)
        })
        .collect();
    for table in source.catalog.tables() {
        for constraint in &table.constraints {
            let by_index = |index: Oid| {
                let keys = source.catalog.index(index).map(|index| index.keys.iter().map(|key| key.attnum).collect());
                (index, keys.unwrap_or_default())
            };
            let (kind, (index, keys), expression): (u8, (Oid, Vec<i16>), Option<&str>) = match &constraint.kind {
                ConstraintKind::Check { expression, columns } => {
                    (b'c', (Oid::NONE, columns.clone()), Some(expression.as_str()))
                }
                ConstraintKind::NotNull { column } => (b'n', (Oid::NONE, vec![*column]), None),
                ConstraintKind::PrimaryKey { index } => (b'p', by_index(*index), None),
                ConstraintKind::Unique { index } => (b'u', by_index(*index), None),
            };
            let identity = (constraint.oid, constraint.name.as_str(), table.schema);
            rows.push(constraint_row(identity, kind, table.oid, Oid::NONE, index, keys, expression));
        }
    }
    rows
}

pub(super) fn pg_sequence(source: &Source<'_>) -> Vec<Row> {
    source
        .catalog
        .sequences()
        .map(|s| row![s.oid, s.type_oid, s.start, s.increment, s.max, s.min, s.cache, s.cycle])
        .collect()
}

pub(super) fn pg_rewrite(source: &Source<'_>) -> Vec<Row> {
    let rule = |view: &View| {
        let (event, enabled) = (Letter(b'1'), Letter(b'O'));
        row![rule_oid(view.oid), "_RETURN", view.oid, event, enabled, true, "<>", view.query.as_str()]
    };
    source.catalog.views().map(|view| rule(view)).collect()
}
