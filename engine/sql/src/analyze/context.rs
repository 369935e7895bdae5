//! Where an expression stands: PostgreSQL's `ParseExprKind`. It decides what the expression may contain.

/// The clause that an expression belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum ExprContext {
    #[default]
    None,
    JoinOn,
    JoinUsing,
    FromSubselect,
    FromFunction,
    Where,
    Having,
    Filter,
    WindowPartition,
    WindowOrder,
    WindowFrameRange,
    WindowFrameRows,
    WindowFrameGroups,
    SelectTarget,
    InsertTarget,
    UpdateSource,
    UpdateTarget,
    GroupBy,
    OrderBy,
    DistinctOn,
    Limit,
    Offset,
    Returning,
    Values,
    ValuesSingle,
    CheckConstraint,
    ColumnDefault,
    IndexExpression,
    IndexPredicate,
    AlterColumnTransform,
    GeneratedColumn,
    CallArgument,
    CopyWhere,
}

/// What an expression may not contain here, and the message that says so.
pub(super) enum Refusal {
    /// It may.
    Allowed,
    /// A message of its own.
    Message(&'static str),
    /// `... are not allowed in CLAUSE`.
    Clause,
}

impl ExprContext {
    /// The clause's name in messages (`ParseExprKindName`).
    pub fn name(self) -> &'static str {
        match self {
            ExprContext::None => "invalid expression context",
            ExprContext::JoinOn => "JOIN/ON",
            ExprContext::JoinUsing => "JOIN/USING",
            ExprContext::FromSubselect => "sub-SELECT in FROM",
            ExprContext::FromFunction => "function in FROM",
            ExprContext::Where => "WHERE",
            ExprContext::Having => "HAVING",
            ExprContext::Filter => "FILTER",
            ExprContext::WindowPartition => "window PARTITION BY",
            ExprContext::WindowOrder => "window ORDER BY",
            ExprContext::WindowFrameRange => "window RANGE",
            ExprContext::WindowFrameRows => "window ROWS",
            ExprContext::WindowFrameGroups => "window GROUPS",
            ExprContext::SelectTarget => "SELECT",
            ExprContext::InsertTarget => "INSERT",
            ExprContext::UpdateSource | ExprContext::UpdateTarget => "UPDATE",
            ExprContext::GroupBy => "GROUP BY",
            ExprContext::OrderBy => "ORDER BY",
            ExprContext::DistinctOn => "DISTINCT ON",
            ExprContext::Limit => "LIMIT",
            ExprContext::Offset => "OFFSET",
            ExprContext::Returning => "RETURNING",
            ExprContext::Values | ExprContext::ValuesSingle => "VALUES",
            ExprContext::CheckConstraint => "CHECK",
            ExprContext::ColumnDefault => "DEFAULT",
            ExprContext::IndexExpression => "index expression",
            ExprContext::IndexPredicate => "index predicate",
            ExprContext::AlterColumnTransform => "USING",
            ExprContext::GeneratedColumn => "GENERATED AS",
            ExprContext::CallArgument => "CALL",
            ExprContext::CopyWhere => "WHERE",
        }
    }

    /// Whether a subquery may stand here; the message if not.
    pub(super) fn sub_link_refusal(self) -> Option<&'static str> {
        match self {
            ExprContext::CheckConstraint => Some("cannot use subquery in check constraint"),
            ExprContext::ColumnDefault => Some("cannot use subquery in DEFAULT expression"),
            ExprContext::IndexExpression => Some("cannot use subquery in index expression"),
            ExprContext::IndexPredicate => Some("cannot use subquery in index predicate"),
            ExprContext::AlterColumnTransform => Some("cannot use subquery in transform expression"),
            ExprContext::CallArgument => Some("cannot use subquery in CALL argument"),
            ExprContext::CopyWhere => Some("cannot use subquery in COPY FROM WHERE condition"),
            ExprContext::GeneratedColumn => Some("cannot use subquery in column generation expression"),
            _ => None,
        }
    }

    /// Whether an aggregate may stand here (`grouping`: GROUPING rather than an aggregate).
    pub(super) fn aggregate_refusal(self, grouping: bool) -> Refusal {
        macro_rules! refuse {
            ($where:literal) => {
                Refusal::Message(if grouping {
                    concat!("grouping operations are not allowed in ", $where)
                } else {
                    concat!("aggregate functions are not allowed in ", $where)
                })
            };
        }
        match self {
            ExprContext::None => Refusal::Clause,
            ExprContext::JoinOn | ExprContext::JoinUsing => refuse!("JOIN conditions"),
            ExprContext::FromSubselect => refuse!("FROM clause of their own query level"),
            ExprContext::FromFunction => refuse!("functions in FROM"),
            ExprContext::Where => Refusal::Clause,
            ExprContext::Having
            | ExprContext::WindowPartition
            | ExprContext::WindowOrder
            | ExprContext::SelectTarget
            | ExprContext::OrderBy
            | ExprContext::DistinctOn => Refusal::Allowed,
            ExprContext::Filter => Refusal::Clause,
            ExprContext::WindowFrameRange => refuse!("window RANGE"),
            ExprContext::WindowFrameRows => refuse!("window ROWS"),
            ExprContext::WindowFrameGroups => refuse!("window GROUPS"),
            ExprContext::CheckConstraint => refuse!("check constraints"),
            ExprContext::ColumnDefault => refuse!("DEFAULT expressions"),
            ExprContext::IndexExpression => refuse!("index expressions"),
            ExprContext::IndexPredicate => refuse!("index predicates"),
            ExprContext::AlterColumnTransform => refuse!("transform expressions"),
            ExprContext::CallArgument => refuse!("CALL arguments"),
            ExprContext::CopyWhere => refuse!("COPY FROM WHERE conditions"),
            ExprContext::GeneratedColumn => refuse!("column generation expressions"),
            ExprContext::InsertTarget
            | ExprContext::UpdateSource
            | ExprContext::UpdateTarget
            | ExprContext::GroupBy
            | ExprContext::Limit
            | ExprContext::Offset
            | ExprContext::Returning
            | ExprContext::Values
            | ExprContext::ValuesSingle => Refusal::Clause,
        }
    }

    /// Whether a window function may stand here.
    pub(super) fn window_refusal(self) -> Refusal {
        match self {
            ExprContext::SelectTarget | ExprContext::OrderBy | ExprContext::DistinctOn => Refusal::Allowed,
            ExprContext::JoinOn | ExprContext::JoinUsing => {
                Refusal::Message("window functions are not allowed in JOIN conditions")
            }
            ExprContext::FromFunction => Refusal::Message("window functions are not allowed in functions in FROM"),
            ExprContext::WindowPartition
            | ExprContext::WindowOrder
            | ExprContext::WindowFrameRange
            | ExprContext::WindowFrameRows
            | ExprContext::WindowFrameGroups => {
                Refusal::Message("window functions are not allowed in window definitions")
            }
            ExprContext::CheckConstraint => Refusal::Message("window functions are not allowed in check constraints"),
            ExprContext::ColumnDefault => Refusal::Message("window functions are not allowed in DEFAULT expressions"),
            ExprContext::IndexExpression => Refusal::Message("window functions are not allowed in index expressions"),
            ExprContext::IndexPredicate => Refusal::Message("window functions are not allowed in index predicates"),
            ExprContext::AlterColumnTransform => {
                Refusal::Message("window functions are not allowed in transform expressions")
            }
            ExprContext::CallArgument => Refusal::Message("window functions are not allowed in CALL arguments"),
            ExprContext::CopyWhere => {
                Refusal::Message("window functions are not allowed in COPY FROM WHERE conditions")
            }
            ExprContext::GeneratedColumn => {
                Refusal::Message("window functions are not allowed in column generation expressions")
            }
            ExprContext::None
            | ExprContext::FromSubselect
            | ExprContext::Where
            | ExprContext::Having
            | ExprContext::Filter
            | ExprContext::InsertTarget
            | ExprContext::UpdateSource
            | ExprContext::UpdateTarget
            | ExprContext::GroupBy
            | ExprContext::Limit
            | ExprContext::Offset
            | ExprContext::Returning
            | ExprContext::Values
            | ExprContext::ValuesSingle => Refusal::Clause,
        }
    }

    /// Whether a set-returning function may stand here.
    pub(super) fn srf_refusal(self) -> Refusal {
        match self {
            ExprContext::FromFunction
            | ExprContext::SelectTarget
            | ExprContext::InsertTarget
            | ExprContext::GroupBy
            | ExprContext::OrderBy
            | ExprContext::DistinctOn
            | ExprContext::ValuesSingle => Refusal::Allowed,
            ExprContext::JoinOn | ExprContext::JoinUsing => {
                Refusal::Message("set-returning functions are not allowed in JOIN conditions")
            }
            ExprContext::WindowPartition
            | ExprContext::WindowOrder
            | ExprContext::WindowFrameRange
            | ExprContext::WindowFrameRows
            | ExprContext::WindowFrameGroups => {
                Refusal::Message("set-returning functions are not allowed in window definitions")
            }
            ExprContext::CheckConstraint => {
                Refusal::Message("set-returning functions are not allowed in check constraints")
            }
            ExprContext::ColumnDefault => {
                Refusal::Message("set-returning functions are not allowed in DEFAULT expressions")
            }
            ExprContext::IndexExpression => {
                Refusal::Message("set-returning functions are not allowed in index expressions")
            }
            ExprContext::IndexPredicate => {
                Refusal::Message("set-returning functions are not allowed in index predicates")
            }
            ExprContext::AlterColumnTransform => {
                Refusal::Message("set-returning functions are not allowed in transform expressions")
            }
            ExprContext::CallArgument => Refusal::Message("set-returning functions are not allowed in CALL arguments"),
            ExprContext::CopyWhere => {
                Refusal::Message("set-returning functions are not allowed in COPY FROM WHERE conditions")
            }
            ExprContext::GeneratedColumn => {
                Refusal::Message("set-returning functions are not allowed in column generation expressions")
            }
            ExprContext::None
            | ExprContext::FromSubselect
            | ExprContext::Where
            | ExprContext::Having
            | ExprContext::Filter
            | ExprContext::UpdateSource
            | ExprContext::UpdateTarget
            | ExprContext::Limit
            | ExprContext::Offset
            | ExprContext::Returning
            | ExprContext::Values => Refusal::Clause,
        }
    }

    /// Whether columns may be named here; the message if not.
    pub(super) fn column_refusal(self) -> Option<&'static str> {
        match self {
            ExprContext::ColumnDefault => Some("cannot use column reference in DEFAULT expression"),
            _ => None,
        }
    }
}
