//! The elements of CREATE TABLE and of ADD COLUMN, as far as they can be read without the table
//! (`transformColumnDefinition`, `transformTableConstraint`).

use helios_catalog::facts::TypeKind;
use helios_catalog::model::Identity;
use helios_catalog::resolve::Lookup;
use helios_types::{Oid, PgError, Result, SqlState, TypeMod, oid};

use crate::analyze::{AnalyzeContext, name_list, transform_collation, transform_type_name};
use crate::ddl::locks::position;
use crate::parse::protobuf::node::Node;
use crate::parse::protobuf::{self as pb, ConstrType};

/// What a statement says about a new table, or adds to one.
#[derive(Default)]
pub(in crate::ddl) struct Definition<'s> {
    pub(in crate::ddl) columns: Vec<ColumnSpec<'s>>,
    pub(in crate::ddl) checks: Vec<CheckSpec<'s>>,
    /// NOT NULL, one per column; of primary keys too.
    pub(in crate::ddl) not_nulls: Vec<NotNullSpec<'s>>,
    pub(in crate::ddl) keys: Vec<KeySpec<'s>>,
}

/// A column.
pub(in crate::ddl) struct ColumnSpec<'s> {
    pub(in crate::ddl) name: &'s str,
    pub(in crate::ddl) type_oid: Oid,
    pub(in crate::ddl) typmod: TypeMod,
    pub(in crate::ddl) collation: Oid,
    pub(in crate::ddl) not_null: bool,
    pub(in crate::ddl) default: Option<&'s Node>,
    pub(in crate::ddl) generated: Option<&'s Node>,
    pub(in crate::ddl) identity: Option<(Identity, &'s [pb::Node])>,
    pub(in crate::ddl) serial: bool,
}

/// CHECK.
pub(in crate::ddl) struct CheckSpec<'s> {
    pub(in crate::ddl) name: Option<&'s str>,
    pub(in crate::ddl) expression: &'s Node,
}

/// NOT NULL.
pub(in crate::ddl) struct NotNullSpec<'s> {
    pub(in crate::ddl) name: Option<&'s str>,
    pub(in crate::ddl) column: &'s str,
}

/// PRIMARY KEY or UNIQUE.
pub(in crate::ddl) struct KeySpec<'s> {
    pub(in crate::ddl) name: Option<&'s str>,
    pub(in crate::ddl) primary: bool,
    pub(in crate::ddl) columns: Vec<&'s str>,
    pub(in crate::ddl) include: Vec<&'s str>,
    pub(in crate::ddl) nulls_not_distinct: bool,
    pub(in crate::ddl) options: &'s [pb::Node],
    pub(in crate::ddl) location: Option<usize>,
}

impl<'s> Definition<'s> {
    /// Takes in a column and its constraints. `table` is for messages.
    pub(in crate::ddl) fn add_column(
        &mut self,
        column: &'s pb::ColumnDef,
        table: &str,
        context: &AnalyzeContext<'_>,
    ) -> Result<()> {
        let type_name = column.type_name.as_ref().ok_or_else(|| PgError::internal("a column without a type"))?;
        let serial = serial_type(type_name)?;
        let (type_oid, typmod) = match serial {
            Some(type_oid) => (type_oid, -1),
            None => transform_type_name(type_name, context)?,
        };
        let type_collation = context.catalog.type_by_oid(type_oid).map_or(Oid::NONE, |row| row.collation);
        let mut spec = ColumnSpec {
            name: &column.colname,
            type_oid,
            typmod,
            collation: type_collation,
            not_null: false,
            default: None,
            generated: None,
            identity: None,
            serial: serial.is_some(),
        };
        if let Some(clause) = &column.coll_clause {
            spec.collation = transform_collation(&clause.collname, clause.location, context)?;
            if type_collation.is_none() {
                let shown = lookup(context).format_type(type_oid);
                let message = format!("collations are not supported by type {shown}");
                return Err(PgError::new(SqlState::DATATYPE_MISMATCH, message).at(position(clause.location)));
            }
        }
        if !column.compression.is_empty() || !column.storage_name.is_empty() {
            return Err(PgError::unsupported("STORAGE and COMPRESSION of a column"));
        }
        let mut reader = ColumnReader { spec, table, saw_null: false, needs_not_null: serial.is_some(), named: None };
        for node in &column.constraints {
            reader.constraint(constraint_of(node)?, self)?;
        }
        let ColumnReader { mut spec, needs_not_null, named, .. } = reader;
        spec.not_null |= needs_not_null;
        if spec.not_null {
            self.not_nulls.push(NotNullSpec { name: named, column: spec.name });
        }
        check_column(&spec, type_name, context)?;
        if self.columns.iter().any(|known| known.name == spec.name) {
            let message = format!("column \"{}\" specified more than once", spec.name);
            return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
        }
        self.columns.push(spec);
        Ok(())
    }

    /// Takes in a table constraint.
    pub(in crate::ddl) fn add_constraint(&mut self, constraint: &'s pb::Constraint, table: &str) -> Result<()> {
        let location = position(constraint.location);
        refuse_attributes(constraint)?;
        match constraint.contype() {
            ConstrType::ConstrCheck => self.checks.push(check_spec(constraint)?),
            ConstrType::ConstrNotnull => {
                if constraint.is_no_inherit {
                    return Err(PgError::unsupported("NO INHERIT").at(location));
                }
                let name = named(constraint);
                for column in name_list(&constraint.keys)? {
                    self.add_not_null(NotNullSpec { name, column });
                }
            }
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                let columns = name_list(&constraint.keys)?;
                self.add_key(constraint, columns, table)?;
            }
            ConstrType::ConstrForeign => return Err(PgError::unsupported("FOREIGN KEY").at(location)),
            ConstrType::ConstrExclusion => return Err(PgError::unsupported("EXCLUDE").at(location)),
            other => return Err(PgError::internal(format_args!("a table constraint {other:?}"))),
        }
        Ok(())
    }

    fn add_not_null(&mut self, spec: NotNullSpec<'s>) {
        match self.not_nulls.iter_mut().find(|known| known.column == spec.column) {
            Some(known) => known.name = known.name.or(spec.name),
            None => self.not_nulls.push(spec),
        }
    }

    fn add_key(&mut self, constraint: &'s pb::Constraint, columns: Vec<&'s str>, table: &str) -> Result<()> {
        let location = position(constraint.location);
        let primary = constraint.contype() == ConstrType::ConstrPrimary;
        if !constraint.indexname.is_empty() {
            let name = if primary { "PRIMARY KEY USING INDEX" } else { "UNIQUE USING INDEX" };
            return Err(PgError::unsupported(name).at(location));
        }
        if constraint.without_overlaps {
            return Err(PgError::unsupported("WITHOUT OVERLAPS").at(location));
        }
        if primary && self.keys.iter().any(|key| key.primary) {
            let message = format!("multiple primary keys for table \"{table}\" are not allowed");
            return Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message).at(location));
        }
        check_tablespace(&constraint.indexspace)?;
        let key = KeySpec {
            name: named(constraint),
            primary,
            columns,
            include: name_list(&constraint.including)?,
            nulls_not_distinct: constraint.nulls_not_distinct,
            options: &constraint.options,
            location,
        };
        // A second constraint on the same columns is the same one (`transformIndexConstraints`).
        let twin = self.keys.iter_mut().find(|known| {
            known.columns == key.columns
                && known.include == key.include
                && known.nulls_not_distinct == key.nulls_not_distinct
                && (known.name.is_none() || key.name.is_none() || known.name == key.name)
        });
        match twin {
            Some(known) => {
                known.primary |= primary;
                known.name = known.name.or(key.name);
            }
            None => self.keys.push(key),
        }
        Ok(())
    }
}

/// A column while its constraints are read.
struct ColumnReader<'s, 't> {
    spec: ColumnSpec<'s>,
    table: &'t str,
    saw_null: bool,
    needs_not_null: bool,
    /// Name of its NOT NULL constraint.
    named: Option<&'s str>,
}

impl<'s> ColumnReader<'s, '_> {
    fn constraint(&mut self, constraint: &'s pb::Constraint, definition: &mut Definition<'s>) -> Result<()> {
        let location = position(constraint.location);
        let expression = || {
            let raw = constraint.raw_expr.as_deref().and_then(|node| node.node.as_ref());
            raw.ok_or_else(|| PgError::internal("a constraint without its expression"))
        };
        refuse_attributes(constraint)?;
        match constraint.contype() {
            ConstrType::ConstrNull => {
                if self.spec.not_null || self.needs_not_null {
                    return Err(self.conflict(location));
                }
                self.saw_null = true;
            }
            ConstrType::ConstrNotnull => {
                if constraint.is_no_inherit {
                    return Err(PgError::unsupported("NO INHERIT").at(location));
                }
                self.require_not_null(location)?;
                self.spec.not_null = true;
                match (self.named, named(constraint)) {
                    (Some(one), Some(other)) if one != other => {
                        let message = format!("conflicting not-null constraint names \"{one}\" and \"{other}\"");
                        return Err(PgError::new(SqlState::INTERNAL_ERROR, message));
                    }
                    (None, name) => self.named = name,
                    _ => {}
                }
            }
            ConstrType::ConstrDefault => {
                if self.spec.default.is_some() || self.spec.serial {
                    return Err(self.wrong("multiple default values specified", location));
                }
                self.spec.default = Some(expression()?);
            }
            ConstrType::ConstrIdentity => {
                if self.spec.identity.is_some() {
                    return Err(self.wrong("multiple identity specifications", location));
                }
                self.require_not_null(location)?;
                let kind = if constraint.generated_when == "a" { Identity::Always } else { Identity::ByDefault };
                self.spec.identity = Some((kind, &constraint.options));
                self.needs_not_null = true;
            }
            ConstrType::ConstrGenerated => {
                if self.spec.generated.is_some() {
                    return Err(self.wrong("multiple generation clauses specified", location));
                }
                if constraint.generated_kind == "v" {
                    return Err(PgError::unsupported("a virtual generated column").at(location));
                }
                self.spec.generated = Some(expression()?);
            }
            ConstrType::ConstrCheck => definition.checks.push(check_spec(constraint)?),
            ConstrType::ConstrPrimary | ConstrType::ConstrUnique => {
                if constraint.contype() == ConstrType::ConstrPrimary {
                    self.require_not_null(location)?;
                    self.needs_not_null = true;
                }
                definition.add_key(constraint, vec![self.spec.name], self.table)?;
            }
            ConstrType::ConstrForeign => return Err(PgError::unsupported("FOREIGN KEY").at(location)),
            ConstrType::ConstrExclusion => return Err(PgError::unsupported("EXCLUDE").at(location)),
            ConstrType::ConstrAttrNotDeferrable | ConstrType::ConstrAttrImmediate | ConstrType::ConstrAttrEnforced => {}
            ConstrType::ConstrAttrDeferrable | ConstrType::ConstrAttrDeferred => {
                return Err(PgError::unsupported("DEFERRABLE").at(location));
            }
            ConstrType::ConstrAttrNotEnforced => return Err(PgError::unsupported("NOT ENFORCED").at(location)),
            ConstrType::Undefined => return Err(PgError::internal("a column constraint of no kind")),
        }
        self.check_one_source(location)
    }

    fn check_one_source(&self, location: Option<usize>) -> Result<()> {
        let default = self.spec.default.is_some() || self.spec.serial;
        let message = match (default, self.spec.identity.is_some(), self.spec.generated.is_some()) {
            (true, true, _) => "both default and identity specified",
            (true, _, true) => "both default and generation expression specified",
            (_, true, true) => "both identity and generation expression specified",
            _ => return Ok(()),
        };
        Err(self.wrong(message, location))
    }

    fn require_not_null(&self, location: Option<usize>) -> Result<()> {
        if self.saw_null { Err(self.conflict(location)) } else { Ok(()) }
    }

    fn conflict(&self, location: Option<usize>) -> PgError {
        self.wrong("conflicting NULL/NOT NULL declarations", location)
    }

    fn wrong(&self, what: &str, location: Option<usize>) -> PgError {
        let message = format!("{what} for column \"{}\" of table \"{}\"", self.spec.name, self.table);
        PgError::new(SqlState::SYNTAX_ERROR, message).at(location)
    }
}

pub(in crate::ddl) fn constraint_of(node: &pb::Node) -> Result<&pb::Constraint> {
    match &node.node {
        Some(Node::Constraint(constraint)) => Ok(constraint),
        _ => Err(PgError::internal("a constraint that is none")),
    }
}

/// The name that was given to a constraint.
fn named(constraint: &pb::Constraint) -> Option<&str> {
    (!constraint.conname.is_empty()).then_some(constraint.conname.as_str())
}

fn check_spec(constraint: &pb::Constraint) -> Result<CheckSpec<'_>> {
    let raw = constraint.raw_expr.as_deref().and_then(|node| node.node.as_ref());
    let expression = raw.ok_or_else(|| PgError::internal("a check without its expression"))?;
    if constraint.is_no_inherit {
        return Err(PgError::unsupported("NO INHERIT").at(position(constraint.location)));
    }
    Ok(CheckSpec { name: named(constraint), expression })
}

/// DEFERRABLE and NOT ENFORCED, as table constraints carry them.
fn refuse_attributes(constraint: &pb::Constraint) -> Result<()> {
    let location = position(constraint.location);
    if constraint.deferrable || constraint.initdeferred {
        return Err(PgError::unsupported("DEFERRABLE").at(location));
    }
    let enforceable = matches!(constraint.contype(), ConstrType::ConstrCheck | ConstrType::ConstrForeign);
    if enforceable && !constraint.is_enforced {
        return Err(PgError::unsupported("NOT ENFORCED").at(location));
    }
    Ok(())
}

/// `serial` and its kin.
fn serial_type(name: &pb::TypeName) -> Result<Option<Oid>> {
    if name.names.len() != 1 || name.pct_type {
        return Ok(None);
    }
    let found = match name_list(&name.names)?.as_slice() {
        ["smallserial" | "serial2"] => oid::INT2,
        ["serial" | "serial4"] => oid::INT4,
        ["bigserial" | "serial8"] => oid::INT8,
        _ => return Ok(None),
    };
    if !name.array_bounds.is_empty() {
        let message = "array of serial is not implemented";
        return Err(PgError::new(SqlState::FEATURE_NOT_SUPPORTED, message).at(position(name.location)));
    }
    Ok(Some(found))
}

fn lookup<'a>(context: &AnalyzeContext<'a>) -> Lookup<'a> {
    Lookup { catalog: context.catalog, search_path: context.search_path }
}

/// Names of columns that every table has.
pub(in crate::ddl) const SYSTEM_COLUMNS: [&str; 6] = ["tableoid", "cmax", "xmax", "cmin", "xmin", "ctid"];

fn check_column(spec: &ColumnSpec<'_>, type_name: &pb::TypeName, context: &AnalyzeContext<'_>) -> Result<()> {
    let wrong = |message: String| PgError::new(SqlState::INVALID_TABLE_DEFINITION, message);
    if type_name.setof {
        return Err(wrong(format!("column \"{}\" cannot be declared SETOF", spec.name)));
    }
    if SYSTEM_COLUMNS.contains(&spec.name) {
        let message = format!("column name \"{}\" conflicts with a system column name", spec.name);
        return Err(PgError::new(SqlState::DUPLICATE_COLUMN, message));
    }
    check_column_type(spec.name, spec.type_oid, context)
}

/// What a column can be of (`CheckAttributeType`).
pub(in crate::ddl) fn check_column_type(name: &str, type_oid: Oid, context: &AnalyzeContext<'_>) -> Result<()> {
    let lookup = lookup(context);
    let element = lookup.element_type(type_oid).unwrap_or(type_oid);
    let kind = context.catalog.type_by_oid(element).map(|row| row.kind);
    match kind {
        Some(TypeKind::Pseudo) => {
            let message = format!("column \"{name}\" has pseudo-type {}", lookup.format_type(type_oid));
            Err(PgError::new(SqlState::INVALID_TABLE_DEFINITION, message))
        }
        Some(TypeKind::Composite) => {
            Err(PgError::unsupported(format_args!("a column of composite type {}", lookup.format_type(type_oid))))
        }
        Some(TypeKind::Domain) => {
            Err(PgError::unsupported(format_args!("a column of domain type {}", lookup.format_type(type_oid))))
        }
        _ => Ok(()),
    }
}

/// There is one place for rows.
pub(in crate::ddl) fn check_tablespace(name: &str) -> Result<()> {
    match name {
        "" | "pg_default" => Ok(()),
        "pg_global" => {
            let message = "only shared relations can be placed in pg_global tablespace";
            Err(PgError::new(SqlState::INVALID_PARAMETER_VALUE, message))
        }
        other => {
            let message = format!("tablespace \"{other}\" does not exist");
            Err(PgError::new(SqlState::UNDEFINED_OBJECT, message))
        }
    }
}
