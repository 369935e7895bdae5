//! Expressions over small batches: values, laziness, and what comes before a failure.

use std::sync::Arc;

use helios_types::{Datum, SqlState, oid};

use crate::execute::testing::*;
use crate::expr::{BoolOp, Expr, ExprKind, ExprType};
use crate::plan::{NodeKind, Scalar};

fn column() -> Expr {
    var(0, 0, oid::INT4)
}

/// The value of an expression over a column `x` of these values.
fn over(rows: &[Option<i32>], expr: Expr) -> Vec<Option<i64>> {
    let rows: Vec<Vec<Option<i32>>> = rows.iter().map(|value| vec![*value]).collect();
    let rows: Vec<&[Option<i32>]> = rows.iter().map(Vec::as_slice).collect();
    let rows = run(project(ints(0, &rows), vec![expr])).expect("it runs");
    as_ints(&rows).into_iter().map(|row| row[0]).collect()
}

fn case(whens: Vec<(Expr, Expr)>, default: Expr) -> Expr {
    let ty = default.ty;
    Expr { kind: ExprKind::Case { arg: None, whens, default: Box::new(default) }, ty, location: None }
}

#[test]
fn arithmetic_is_null_where_an_argument_is() {
    let plus = op("+", column(), op("*", column(), int(10)));
    assert_eq!(over(&[Some(1), None, Some(3)], plus), [Some(11), None, Some(33)]);
}

#[test]
fn and_and_or_have_three_values() {
    let unknown = || op("=", null(), int(1));
    let is_one = || op("=", column(), int(1));
    let both = boolean(ExprKind::Bool(BoolOp::And, vec![is_one(), unknown()]));
    assert_eq!(over(&[Some(1), Some(2), None], both), [None, Some(0), None]);
    let either = boolean(ExprKind::Bool(BoolOp::Or, vec![is_one(), unknown()]));
    assert_eq!(over(&[Some(1), Some(2), None], either), [Some(1), None, None]);
}

#[test]
fn what_a_condition_keeps_out_is_not_computed() {
    let guarded = boolean(ExprKind::Bool(
        BoolOp::And,
        vec![op("<>", column(), int(0)), op(">", op("/", int(10), column()), int(4))],
    ));
    assert_eq!(over(&[Some(0), Some(2), Some(5), None], guarded.clone()), [Some(0), Some(1), Some(0), None]);
    // One row in ten: the inputs are compacted.
    let sparse: Vec<Option<i32>> = (0..100).map(|row| Some(if row % 10 == 0 { 2 } else { 0 })).collect();
    let expected: Vec<Option<i64>> = (0..100).map(|row| Some(i64::from(row % 10 == 0))).collect();
    assert_eq!(over(&sparse, guarded), expected);
    let quotient = case(
        vec![(op("=", column(), int(0)), int(-1)), (op(">", column(), int(5)), null())],
        op("/", int(10), column()),
    );
    assert_eq!(over(&[Some(0), Some(2), Some(6), None], quotient), [Some(-1), Some(5), None, None]);
    let first = Expr {
        kind: ExprKind::Coalesce(vec![column(), op("/", int(1), int(0))]),
        ty: ExprType::new(oid::INT4),
        location: None,
    };
    assert_eq!(over(&[Some(0), Some(2)], first), [Some(0), Some(2)]);
}

#[test]
fn rows_before_a_failure_come_first() {
    let quotients =
        project(ints(0, &[&[Some(5)], &[Some(2)], &[Some(0)], &[Some(1)]]), vec![op("/", int(10), column())]);
    let limit = Scalar::new(Expr::constant(Datum::I64(2), ExprType::new(oid::INT8)), &[]).expect("a constant");
    let output = quotients.output.clone();
    let kind = NodeKind::Limit { input: Arc::new(quotients), limit: Some(limit), offset: None, ties: None };
    assert_eq!(as_ints(&run(node(kind, output)).expect("two rows are enough")), [[Some(2)], [Some(5)]]);
    let all = project(ints(0, &[&[Some(5)], &[Some(0)]]), vec![op("/", int(10), column())]);
    assert_eq!(run(all).expect_err("it divides by zero").code(), SqlState::DIVISION_BY_ZERO);
}

#[test]
fn a_filter_passes_rows_before_a_failure() {
    let kept =
        filter(ints(0, &[&[Some(1)], &[Some(20)], &[Some(0)]]), vec![op(">", op("/", int(10), column()), int(3))]);
    let limit = Scalar::new(Expr::constant(Datum::I64(1), ExprType::new(oid::INT8)), &[]).expect("a constant");
    let output = kept.output.clone();
    let kind = NodeKind::Limit { input: Arc::new(kept), limit: Some(limit), offset: None, ties: None };
    assert_eq!(as_ints(&run(node(kind, output)).expect("one row is enough")), [[Some(1)]]);
}

#[test]
fn distinct_from_nullif_and_null_tests() {
    let differs =
        boolean(ExprKind::DistinctFrom { func: Box::new(call_of(op("=", column(), int(1)))), negated: false });
    assert_eq!(over(&[Some(1), Some(2), None], differs), [Some(0), Some(1), Some(1)]);
    let ty = ExprType::new(oid::INT4);
    let nullif = Expr { kind: ExprKind::NullIf(Box::new(call_of(op("=", column(), int(1))))), ty, location: None };
    assert_eq!(over(&[Some(1), Some(2), None], nullif), [None, Some(2), None]);
    let is_null = boolean(ExprKind::NullTest { arg: Box::new(column()), negated: false, row: false });
    assert_eq!(over(&[Some(1), None], is_null), [Some(0), Some(1)]);
}

#[test]
fn any_of_an_array() {
    let array = |values: &[Datum]| {
        let array = helios_types::Array::vector(oid::INT4, values.to_vec());
        Expr::constant(Datum::Array(Arc::new(array)), ExprType::new(oid::INT4_ARRAY))
    };
    let any = |values: &[Datum]| {
        let mut func = call_of(op("=", column(), int(0)));
        func.args[1] = array(values);
        boolean(ExprKind::ScalarArrayOp { func: Box::new(func), any: true })
    };
    let values = [Datum::I32(1), Datum::I32(2)];
    assert_eq!(over(&[Some(1), Some(3), None], any(&values)), [Some(1), Some(0), None]);
    assert_eq!(over(&[Some(1), Some(3)], any(&[Datum::I32(1), Datum::Null])), [Some(1), None]);
    assert_eq!(over(&[Some(1), None], any(&[])), [Some(0), Some(0)]);
}

#[test]
fn simple_case_tests_its_value_once() {
    let ty = ExprType::new(oid::INT4);
    let tested = || Expr { kind: ExprKind::CaseTestExpr, ty, location: None };
    let kind = ExprKind::Case {
        arg: Some(Box::new(op("+", column(), int(1)))),
        whens: vec![(op("=", tested(), int(2)), int(20)), (op("=", tested(), int(3)), int(30))],
        default: Box::new(int(0)),
    };
    assert_eq!(over(&[Some(1), Some(2), None], Expr { kind, ty, location: None }), [Some(20), Some(30), Some(0)]);
}

#[test]
fn sequences_advance_row_by_row() {
    let next = || Expr { kind: ExprKind::NextValue(oid::INT4), ty: ExprType::new(oid::INT4), location: None };
    let rows = run(project(ints(0, &[&[Some(1)], &[Some(2)]]), vec![next(), column(), next()])).expect("it runs");
    assert_eq!(as_ints(&rows), [[Some(1), Some(1), Some(2)], [Some(3), Some(2), Some(4)]]);
    // CASE keeps its laziness when a branch may wait.
    let some = case(vec![(op("=", column(), int(2)), next())], int(0));
    assert_eq!(over(&[Some(1), Some(2), Some(3), Some(2)], some), [Some(0), Some(1), Some(0), Some(2)]);
}
