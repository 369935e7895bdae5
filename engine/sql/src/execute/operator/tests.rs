//! Operators on plans made by hand.

use std::sync::Arc;

use helios_types::{Datum, Oid, SqlState, oid};

use crate::execute::testing::*;
use crate::expr::{Expr, ExprType, SortOrder};
use crate::functions::aggregates;
use crate::plan::{
    AggregateCall, AggregateStrategy, Aggregation, HashJoin, NestLoop, NodeKind, PlanNode, Scalar, SortKey, Window,
    WindowFunction, WindowKind,
};
use crate::query::{FrameBound, FrameExclude, FrameMode, JoinKind, SetOp, WindowFrame};

const ASC: SortOrder = SortOrder { descending: false, nulls_first: false };
const DESC: SortOrder = SortOrder { descending: true, nulls_first: true };

fn key(column: usize, order: SortOrder) -> SortKey {
    SortKey { column, ty: ExprType::new(oid::INT4), order }
}

fn sort(input: PlanNode, keys: Vec<SortKey>) -> PlanNode {
    let output = input.output.clone();
    node(NodeKind::Sort { input: Arc::new(input), keys }, output)
}

fn limit(input: PlanNode, count: i64) -> PlanNode {
    let output = input.output.clone();
    let limit = Scalar::new(Expr::constant(Datum::I64(count), ExprType::new(oid::INT8)), &[]).expect("a constant");
    node(NodeKind::Limit { input: Arc::new(input), limit: Some(limit), offset: None, ties: None }, output)
}

fn join(kind: JoinKind, outer: PlanNode, inner: PlanNode, residual: Vec<Expr>) -> PlanNode {
    let both: Vec<Expr> = outer.output.iter().chain(&inner.output).cloned().collect();
    let scalar = |expr: &Expr, layout: &[Expr]| Scalar::new(expr.clone(), layout).expect("it compiles");
    let outer_only = matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let output = if outer_only { outer.output.clone() } else { both.clone() };
    let join = HashJoin {
        kind,
        outer_keys: vec![scalar(&outer.output[0], &outer.output)],
        inner_keys: vec![scalar(&inner.output[0], &inner.output)],
        clauses: Vec::new(),
        residual: residual.iter().map(|expr| scalar(expr, &both)).collect(),
        projection: (0..output.len()).collect(),
        outer: Arc::new(outer),
        inner: Arc::new(inner),
    };
    node(NodeKind::HashJoin(join), output)
}

fn left() -> PlanNode {
    ints(
        0,
        &[&[Some(1), Some(10)], &[Some(2), Some(20)], &[Some(2), Some(21)], &[None, Some(30)], &[Some(4), Some(40)]],
    )
}

fn right() -> PlanNode {
    ints(
        1,
        &[&[Some(2), Some(200)], &[Some(4), Some(400)], &[Some(4), Some(401)], &[None, Some(0)], &[Some(5), Some(500)]],
    )
}

/// Rows in order, so that operators may give them in any.
fn sorted(root: PlanNode) -> Vec<Vec<Option<i64>>> {
    let mut rows = as_ints(&run(root).expect("it runs"));
    rows.sort();
    rows
}

#[test]
fn sorts_by_several_keys() {
    let rows = ints(0, &[&[Some(2), Some(1)], &[None, Some(5)], &[Some(1), Some(3)], &[Some(2), Some(9)]]);
    let rows = as_ints(&run(sort(rows, vec![key(0, DESC), key(1, ASC)])).expect("it runs"));
    assert_eq!(rows, [[None, Some(5)], [Some(2), Some(1)], [Some(2), Some(9)], [Some(1), Some(3)]]);
}

#[test]
fn a_limited_sort_keeps_the_best() {
    let values: Vec<Vec<Option<i32>>> = (0..10_000).map(|row| vec![Some((row * 7919) % 10_007)]).collect();
    let rows: Vec<&[Option<i32>]> = values.iter().map(Vec::as_slice).collect();
    let best = as_ints(&run(limit(sort(ints(0, &rows), vec![key(0, ASC)]), 3)).expect("it runs"));
    let mut expected: Vec<i64> = (0..10_000).map(|row| (row * 7919) % 10_007).collect();
    expected.sort();
    assert_eq!(best, expected[..3].iter().map(|value| vec![Some(*value)]).collect::<Vec<_>>());
}

#[test]
fn text_sorts_by_bytes_and_char_n_without_padding() {
    let rows = ["b", "a", "ab", ""].map(|value| vec![text(value)]);
    let by = SortKey { column: 0, ty: ExprType::new(oid::TEXT), order: ASC };
    let rows = run(sort(values(0, &[oid::TEXT], &rows), vec![by])).expect("it runs");
    assert_eq!(rows, ["", "a", "ab", "b"].map(|value| vec![Datum::text(value)]));
}

#[test]
fn joins_by_hash() {
    let inner = sorted(join(JoinKind::Inner, left(), right(), Vec::new()));
    let expected = vec![
        vec![Some(2), Some(20), Some(2), Some(200)],
        vec![Some(2), Some(21), Some(2), Some(200)],
        vec![Some(4), Some(40), Some(4), Some(400)],
        vec![Some(4), Some(40), Some(4), Some(401)],
    ];
    assert_eq!(inner, expected);
    let alone_left = [vec![None, Some(30), None, None], vec![Some(1), Some(10), None, None]];
    let alone_right = [vec![None, None, None, Some(0)], vec![None, None, Some(5), Some(500)]];
    let with = |more: &[&[Vec<Option<i64>>]]| {
        let mut all = expected.clone();
        more.iter().for_each(|more| all.extend_from_slice(more));
        all.sort();
        all
    };
    assert_eq!(sorted(join(JoinKind::Left, left(), right(), Vec::new())), with(&[&alone_left]));
    assert_eq!(sorted(join(JoinKind::Right, left(), right(), Vec::new())), with(&[&alone_right]));
    assert_eq!(sorted(join(JoinKind::Full, left(), right(), Vec::new())), with(&[&alone_left, &alone_right]));
    let semi = sorted(join(JoinKind::Semi, left(), right(), Vec::new()));
    assert_eq!(semi, [[Some(2), Some(20)], [Some(2), Some(21)], [Some(4), Some(40)]]);
    let anti = sorted(join(JoinKind::Anti, left(), right(), Vec::new()));
    assert_eq!(anti, [[None, Some(30)], [Some(1), Some(10)]]);
}

#[test]
fn a_residual_condition_decides_what_is_matched() {
    let condition = || vec![op(">", var(1, 1, oid::INT4), int(400))];
    let left_join = sorted(join(JoinKind::Left, left(), right(), condition()));
    assert_eq!(left_join.len(), 5);
    assert!(left_join.contains(&vec![Some(4), Some(40), Some(4), Some(401)]));
    assert!(left_join.contains(&vec![Some(2), Some(20), None, None]));
    let anti = sorted(join(JoinKind::Anti, left(), right(), condition()));
    assert_eq!(anti.len(), 4);
    let full = sorted(join(JoinKind::Full, left(), right(), condition()));
    assert_eq!(full.len(), 4 + 1 + 4);
}

#[test]
fn many_rows_of_one_key_come_in_batches() {
    let rows: Vec<[Option<i32>; 1]> = (0..100).map(|_| [Some(7)]).collect();
    let rows: Vec<&[Option<i32>]> = rows.iter().map(|row| &row[..]).collect();
    assert_eq!(run(join(JoinKind::Inner, ints(0, &rows), ints(1, &rows), Vec::new())).expect("it runs").len(), 10_000);
}

fn nest_loop(kind: JoinKind, condition: Vec<Expr>) -> PlanNode {
    let (outer, inner) = (left(), right());
    let both: Vec<Expr> = outer.output.iter().chain(&inner.output).cloned().collect();
    let outer_only = matches!(kind, JoinKind::Semi | JoinKind::Anti);
    let output = if outer_only { outer.output.clone() } else { both.clone() };
    let inner_output = inner.output.clone();
    let inner = node(NodeKind::Materialize { input: Arc::new(inner) }, inner_output);
    let join = NestLoop {
        kind,
        outer: Arc::new(outer),
        inner: Arc::new(inner),
        params: Vec::new(),
        condition: condition.into_iter().map(|expr| Scalar::new(expr, &both).expect("it compiles")).collect(),
        projection: (0..output.len()).collect(),
    };
    node(NodeKind::NestLoop(join), output)
}

#[test]
fn joins_by_nested_loop() {
    let condition = || vec![op("<", var(0, 0, oid::INT4), var(1, 0, oid::INT4))];
    assert_eq!(sorted(nest_loop(JoinKind::Inner, condition())).len(), 4 + 3 + 3 + 1);
    assert_eq!(sorted(nest_loop(JoinKind::Left, condition())).len(), 4 + 3 + 3 + 1 + 1);
    assert_eq!(sorted(nest_loop(JoinKind::Semi, condition())).len(), 4);
    assert_eq!(sorted(nest_loop(JoinKind::Anti, condition())), [[None, Some(30)]]);
    assert_eq!(sorted(nest_loop(JoinKind::Inner, Vec::new())).len(), 25);
}

fn aggregate_call(name: &'static str, declared: &[Oid], args: Vec<usize>, result: Oid) -> AggregateCall {
    AggregateCall {
        expr: null(),
        factory: aggregates::lookup(name, declared).expect("it is bound"),
        arg_types: vec![oid::INT4; args.len()],
        args,
        direct: Vec::new(),
        filter: None,
        distinct: false,
        order: Vec::new(),
        ty: ExprType::new(result),
        collation: Oid::NONE,
        name,
    }
}

fn aggregate(input: PlanNode, keys: Vec<usize>, sets: Vec<Vec<usize>>, calls: Vec<AggregateCall>) -> PlanNode {
    let mut output: Vec<Expr> = keys.iter().map(|key| input.output[*key].clone()).collect();
    output.extend(calls.iter().enumerate().map(|(index, call)| var(9, index as i32, call.ty.oid)));
    let strategy = if keys.is_empty() { AggregateStrategy::Plain } else { AggregateStrategy::Hashed };
    let aggregation = Aggregation { input: Arc::new(input), strategy, keys, sets, calls, groupings: Vec::new() };
    node(NodeKind::Aggregate(aggregation), output)
}

#[test]
fn groups_and_aggregates() {
    let count = || aggregate_call("count", &[], Vec::new(), oid::INT8);
    let sum = || aggregate_call("sum", &[oid::INT4], vec![1], oid::INT8);
    let rows = as_ints(&run(aggregate(left(), vec![0], Vec::new(), vec![count(), sum()])).expect("it runs"));
    let expected = [
        [Some(1), Some(1), Some(10)],
        [Some(2), Some(2), Some(41)],
        [None, Some(1), Some(30)],
        [Some(4), Some(1), Some(40)],
    ];
    assert_eq!(rows, expected);
    let nothing = filter(left(), vec![op("=", int(1), int(2))]);
    assert_eq!(
        as_ints(&run(aggregate(nothing, Vec::new(), Vec::new(), vec![count(), sum()])).expect("it runs")),
        [[Some(0), None]]
    );
    let sets = vec![vec![0], vec![]];
    let rows = as_ints(&run(aggregate(left(), vec![0], sets, vec![count()])).expect("it runs"));
    assert_eq!(rows.len(), 5);
    assert_eq!(rows[4], [None, Some(5)]);
}

#[test]
fn distinct_and_filtered_aggregates() {
    let rows = || {
        ints(
            0,
            &[
                &[Some(1), Some(5), Some(1)],
                &[Some(1), Some(5), Some(0)],
                &[Some(1), Some(6), Some(0)],
                &[Some(2), Some(5), Some(1)],
                &[Some(2), None, Some(1)],
            ],
        )
    };
    let flagged = || {
        let input = rows();
        let mut output = input.output.clone();
        output.push(op("=", var(0, 2, oid::INT4), int(1)));
        project(input, output)
    };
    let distinct = AggregateCall { distinct: true, ..aggregate_call("count", &[oid::ANY], vec![1], oid::INT8) };
    let filtered = AggregateCall { filter: Some(3), ..aggregate_call("sum", &[oid::INT4], vec![1], oid::INT8) };
    let calls = vec![distinct.clone(), filtered];
    let out = as_ints(&run(aggregate(flagged(), vec![0], Vec::new(), calls)).expect("it runs"));
    assert_eq!(out, [[Some(1), Some(2), Some(5)], [Some(2), Some(1), Some(5)]]);
    let out = as_ints(&run(aggregate(rows(), Vec::new(), Vec::new(), vec![distinct])).expect("it runs"));
    assert_eq!(out, [[Some(2)]]);
}

#[test]
fn ordered_aggregates_are_fed_in_order() {
    let call = AggregateCall {
        order: vec![key(1, DESC)],
        ..aggregate_call("array_agg", &[oid::ANYNONARRAY], vec![1], oid::INT4_ARRAY)
    };
    let rows = run(aggregate(left(), Vec::new(), Vec::new(), vec![call])).expect("it runs");
    let Datum::Array(array) = &rows[0][0] else { panic!("an array") };
    assert_eq!(array.elements, [40, 30, 21, 20, 10].map(Datum::I32));
}

#[test]
fn set_operations() {
    let a = || ints(0, &[&[Some(1)], &[Some(1)], &[Some(1)], &[None], &[Some(2)]]);
    let b = || ints(1, &[&[Some(1)], &[None], &[Some(3)], &[Some(1)]]);
    let set = |op, all| {
        let output = a().output;
        sorted(node(NodeKind::SetOp { left: Arc::new(a()), right: Arc::new(b()), op, all }, output))
    };
    assert_eq!(set(SetOp::Intersect, false), [[None], [Some(1)]]);
    assert_eq!(set(SetOp::Intersect, true), [[None], [Some(1)], [Some(1)]]);
    assert_eq!(set(SetOp::Except, false), [[Some(2)]]);
    assert_eq!(set(SetOp::Except, true), [[Some(1)], [Some(2)]]);
}

#[test]
fn recursion_ends_when_a_round_gives_nothing() {
    let number = || var(5, 0, oid::INT4);
    let work = || node(NodeKind::WorkTableScan { rte: 5, table: 0 }, vec![number()]);
    let step = project(filter(work(), vec![op("<", number(), int(5))]), vec![op("+", number(), int(1))]);
    let kind = NodeKind::RecursiveUnion {
        table: 0,
        signal: 0,
        base: Arc::new(ints(5, &[&[Some(1)]])),
        recursive: Arc::new(step),
        distinct: false,
    };
    assert_eq!(sorted(node(kind, vec![number()])), [[Some(1)], [Some(2)], [Some(3)], [Some(4)], [Some(5)]]);
    // UNION ends even when the recursion goes round in circles.
    let step = project(work(), vec![op("%", op("+", number(), int(1)), int(3))]);
    let kind = NodeKind::RecursiveUnion {
        table: 0,
        signal: 0,
        base: Arc::new(ints(5, &[&[Some(0)]])),
        recursive: Arc::new(step),
        distinct: true,
    };
    assert_eq!(sorted(node(kind, vec![number()])), [[Some(0)], [Some(1)], [Some(2)]]);
}

#[test]
fn unique_drops_repeated_rows() {
    let input = ints(0, &[&[Some(1), Some(1)], &[Some(1), Some(2)], &[None, Some(3)], &[None, Some(4)]]);
    let output = input.output.clone();
    let rows = run(node(NodeKind::Unique { input: Arc::new(input), keys: vec![0] }, output)).expect("it runs");
    assert_eq!(as_ints(&rows), [[Some(1), Some(1)], [None, Some(3)]]);
}

fn window(frame: WindowFrame, kinds: Vec<(WindowKind, Vec<usize>)>) -> Vec<Vec<Option<i64>>> {
    // partition, order, value
    let input = ints(
        0,
        &[
            &[Some(1), Some(1), Some(10)],
            &[Some(1), Some(2), Some(20)],
            &[Some(1), Some(2), Some(30)],
            &[Some(1), Some(4), Some(40)],
            &[Some(2), Some(1), Some(50)],
        ],
    );
    let mut output = input.output.clone();
    let calls: Vec<WindowFunction> = kinds
        .into_iter()
        .map(|(kind, args)| WindowFunction {
            expr: null(),
            kind,
            arg_types: vec![oid::INT4; args.len()],
            args,
            filter: None,
            ty: ExprType::new(if matches!(kind, WindowKind::Builtin("window_lag")) { oid::INT4 } else { oid::INT8 }),
            collation: Oid::NONE,
        })
        .collect();
    output.extend(calls.iter().enumerate().map(|(index, call)| var(9, index as i32, call.ty.oid)));
    let offset = |bound: &FrameBound| match bound {
        FrameBound::Preceding(expr) | FrameBound::Following(expr) => {
            Some(Scalar::new(expr.clone(), &[]).expect("a constant"))
        }
        _ => None,
    };
    let window = Window {
        input: Arc::new(input),
        partition: vec![0],
        order: vec![key(1, ASC)],
        start_offset: offset(&frame.start),
        end_offset: offset(&frame.end),
        frame,
        calls,
    };
    let rows = run(node(NodeKind::Window(window), output)).expect("it runs");
    as_ints(&rows).into_iter().map(|row| row[3..].to_vec()).collect()
}

fn sum() -> WindowKind {
    WindowKind::Aggregate(aggregates::lookup("sum", &[oid::INT4]).expect("it is bound"))
}

#[test]
fn window_functions_over_peers_and_frames() {
    let frame = WindowFrame {
        mode: FrameMode::Range,
        start: FrameBound::UnboundedPreceding,
        end: FrameBound::CurrentRow,
        exclude: FrameExclude::NoOthers,
    };
    let kinds = ["window_row_number", "window_rank", "window_dense_rank"]
        .map(|name| (WindowKind::Builtin(name), Vec::new()))
        .into_iter()
        .chain([(sum(), vec![2]), (WindowKind::Builtin("window_lag"), vec![2])]);
    let rows = window(frame, kinds.collect());
    assert_eq!(
        rows,
        [
            [Some(1), Some(1), Some(1), Some(10), None],
            [Some(2), Some(2), Some(2), Some(60), Some(10)],
            [Some(3), Some(2), Some(2), Some(60), Some(20)],
            [Some(4), Some(4), Some(3), Some(100), Some(30)],
            [Some(1), Some(1), Some(1), Some(50), None],
        ]
    );
    let count = |count| Expr::constant(Datum::I64(count), ExprType::new(oid::INT8));
    let sliding = |exclude| WindowFrame {
        mode: FrameMode::Rows,
        start: FrameBound::Preceding(count(1)),
        end: FrameBound::Following(count(1)),
        exclude,
    };
    let rows = window(sliding(FrameExclude::NoOthers), vec![(sum(), vec![2])]);
    assert_eq!(rows, [[Some(30)], [Some(60)], [Some(90)], [Some(70)], [Some(50)]]);
    let rows = window(sliding(FrameExclude::CurrentRow), vec![(sum(), vec![2])]);
    assert_eq!(rows, [[Some(20)], [Some(40)], [Some(60)], [Some(30)], [None]]);
    let groups = WindowFrame { mode: FrameMode::Groups, ..sliding(FrameExclude::NoOthers) };
    let rows = window(groups, vec![(sum(), vec![2])]);
    assert_eq!(rows, [[Some(60)], [Some(100)], [Some(100)], [Some(90)], [Some(50)]]);
}

#[test]
fn memory_is_refused_before_it_is_used() {
    let values: Vec<Vec<Option<i32>>> = (0..20_000).map(|row| vec![Some(row)]).collect();
    let rows: Vec<&[Option<i32>]> = values.iter().map(Vec::as_slice).collect();
    let context = context(plan(Arc::new(sort(ints(0, &rows), vec![key(0, ASC)]))), 100_000);
    let mut operator = super::build(&context.plan.root, &context).expect("it builds");
    assert_eq!(drain(&mut *operator).expect_err("there is no room").code(), SqlState::OUT_OF_MEMORY);
    drop(operator);
    assert_eq!(context.memory.used_bytes(), 0);
}

#[test]
fn a_cancelled_statement_ends() {
    let context = context(plan(Arc::new(sort(left(), vec![key(0, ASC)]))), 1 << 20);
    context.cancel.cancel(crate::execute::CancelReason::UserRequest);
    let mut operator = super::build(&context.plan.root, &context).expect("it builds");
    assert_eq!(drain(&mut *operator).expect_err("it was cancelled").code(), SqlState::QUERY_CANCELED);
}
