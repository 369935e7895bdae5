//! Expected messages, codes and positions were observed on PostgreSQL 18.

use super::*;
use protobuf::node::Node;

fn error(sql: &str) -> (String, String, Option<usize>) {
    let error = parse(sql).expect_err(sql);
    (error.code().to_string(), error.message().to_owned(), error.position())
}

#[test]
fn statements_have_nodes_and_extents() {
    let sql = "select 1; /* c */ create table t (a int);;  -- x\n select 'é;', 2";
    let statements = parse(sql).unwrap();
    assert_eq!(statements.len(), 3);
    assert!(matches!(statements[0].node(), Node::SelectStmt(_)));
    assert!(matches!(statements[1].node(), Node::CreateStmt(_)));
    let texts: Vec<&str> = statements.iter().map(|statement| statement.text(sql)).collect();
    assert_eq!(texts, ["select 1", "create table t (a int)", "select 'é;', 2"]);
    assert_eq!(statements[2].location + statements[2].length, sql.len());
    assert!(parse("").unwrap().is_empty());
    assert!(parse(" ; -- nothing\n ;").unwrap().is_empty());
}

#[test]
fn errors_are_postgresqls() {
    let syntax = |message: &str, position| ("42601".to_owned(), message.to_owned(), Some(position));
    assert_eq!(error("selec 1"), syntax("syntax error at or near \"selec\"", 0));
    assert_eq!(error("select 'é' from from t"), syntax("syntax error at or near \"from\"", 17));
    assert_eq!(error("select ("), syntax("syntax error at end of input", 8));
    assert_eq!(error("select 'abc"), syntax("unterminated quoted string at or near \"'abc\"", 7));
    assert_eq!(error("select /* abc"), syntax("unterminated /* comment at or near \"/* abc\"", 7));
    assert_eq!(error("select 1a"), syntax("trailing junk after numeric literal at or near \"1a\"", 7));
    assert_eq!(error("select \"\""), syntax("zero-length delimited identifier at or near \"\"\"\"", 7));
    assert_eq!(error("select 1\0").0, "22021");
    assert_eq!(error("select E'\\xff'").0, "22021");
}

#[test]
fn long_operator_chains_parse_walk_and_drop() {
    for (operator, operand) in
        [("+", "1"), (" and ", "true"), (" or ", "a"), ("||", "'x'"), (" union all ", "select 1")]
    {
        let chain = vec![operand; 5_001].join(operator);
        let sql = if operator.contains("union") { chain } else { format!("select {chain}") };
        let statements = parse(&sql).expect(operator);
        assert_eq!(statements.len(), 1);
    }
    let nested = format!("select {}1{}", "abs(".repeat(3_000), ")".repeat(3_000));
    drop(parse(&nested).unwrap());
    let negated = format!("select {}true", "not ".repeat(5_000));
    drop(parse(&negated).unwrap());
}

#[test]
fn nesting_without_end_is_an_error_and_no_crash() {
    // The grammar's stack is full long before the tree is deep.
    let parentheses = format!("select {}1{}", "(".repeat(100_000), ")".repeat(100_000));
    let (code, message, position) = error(&parentheses);
    assert_eq!((code.as_str(), message.as_str()), ("42601", "memory exhausted at or near \"(\""));
    assert!(position.is_some());
    // Left-deep chains do not fill it: the tree's depth is what ends these.
    for chain in ["+1", "-a", "||'x'", " is null", "::text"] {
        let failed = parse(&format!("select 1{}", chain.repeat(200_000))).unwrap_err();
        assert_eq!(failed.code(), SqlState::STATEMENT_TOO_COMPLEX, "{chain}");
        assert_eq!(failed.message(), "stack depth limit exceeded");
        assert!(failed.hint().unwrap().contains("max_stack_depth"));
    }
    // And the thread parses on.
    assert_eq!(parse("select 1").unwrap().len(), 1);
    // These are flat.
    assert!(parse(&format!("select true{}", " and true".repeat(200_000))).is_ok());
    assert!(parse(&format!("insert into t values (1){}", ", (1)".repeat(100_000))).is_ok());
}

#[test]
fn deep_trees_parse_on_a_small_stack() {
    let work = || {
        for levels in [10, 100, 1_000, 5_000, 9_000, 50_000] {
            let _ = parse(&format!("select 1{}", "+1".repeat(levels)));
            let _ = parse(&format!("select {}1", "- ".repeat(levels)));
            let _ = parse(&format!("select array{}1{}", "[".repeat(levels), "]".repeat(levels)));
            let _ = parse(&format!("{}select 1{}", "select (".repeat(levels), ")".repeat(levels)));
        }
    };
    #[allow(clippy::disallowed_methods)]
    let thread = std::thread::Builder::new().stack_size(128 << 10).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn notices_are_collected() {
    let long = "x".repeat(70);
    let parsed = parse_with(&format!("select 1 as {long}"), ParseOptions::default()).unwrap();
    assert_eq!(parsed.notices.len(), 1);
    assert_eq!(parsed.notices[0].code, SqlState::NAME_TOO_LONG);
    assert_eq!(parsed.notices[0].message, format!("identifier \"{long}\" will be truncated to \"{}\"", "x".repeat(63)));
}

#[test]
fn type_names_alone() {
    let name = parse_type_name("pg_catalog.numeric(10, 2)[]").unwrap();
    assert_eq!((name.names.len(), name.typmods.len(), name.array_bounds.len()), (2, 2, 1));
    assert!(parse_type_name("1").is_err());
    let error = parse_type_name("numeric(1+1)").unwrap_err();
    assert_eq!(error.message(), "type modifiers must be simple constants or identifiers");
}

#[test]
fn tokens_have_extents() {
    let sql = "select \"a b\", $1 /* c */ from t where x >= 'é'";
    let tokens = scan(sql).unwrap();
    let texts: Vec<&str> = tokens.iter().map(|token| &sql[token.start..token.end]).collect();
    assert_eq!(texts, ["select", "\"a b\"", ",", "$1", "from", "t", "where", "x", ">=", "'é'"]);
    assert_eq!(tokens[0].keyword, Some(Keyword::Reserved));
    assert_eq!(tokens[5].keyword, None);
}

#[test]
fn scripts_are_split_as_psql_does() {
    let pieces = |sql: &'static str| split(sql).into_iter().map(|range| &sql[range]).collect::<Vec<_>>();
    assert_eq!(
        pieces("select 1; select ';'; -- a;b\n ;; select \";\" /* ; /* ; */ ; */"),
        ["select 1", "select ';'", "select \";\""]
    );
    assert_eq!(pieces("select $$;$$, $a$ $$; $a$; select $1;"), ["select $$;$$, $a$ $$; $a$", "select $1"]);
    assert_eq!(pieces("select E'\\';', 'a\\'; select a$b$ ; c"), ["select E'\\';', 'a\\'", "select a$b$", "c"]);
    assert_eq!(
        pieces("create rule r as on insert to t do (select 1; select 2); x"),
        ["create rule r as on insert to t do (select 1; select 2)", "x"]
    );
    assert_eq!(
        pieces(
            "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end; y"
        ),
        [
            "create or replace function f() returns int begin atomic select case when true then 1 end; select 2; end",
            "y"
        ]
    );
    assert_eq!(pieces("begin; select 1; end"), ["begin", "select 1", "end"]);
}

#[test]
fn unfinished_input_is_told() {
    assert_eq!(incomplete("select 1;"), None);
    assert_eq!(incomplete("  -- nothing\n"), None);
    assert_eq!(incomplete("select 1"), Some(Incomplete::Statement));
    assert_eq!(incomplete("select 'a;"), Some(Incomplete::SingleQuote));
    assert_eq!(incomplete("select E'a\\';"), Some(Incomplete::SingleQuote));
    assert_eq!(incomplete("select \"a;"), Some(Incomplete::DoubleQuote));
    assert_eq!(incomplete("select $x$;$$;"), Some(Incomplete::DollarQuote));
    assert_eq!(incomplete("select /* /* */ 1;"), Some(Incomplete::Comment));
    assert_eq!(incomplete("select (1;"), Some(Incomplete::Parenthesis));
    assert_eq!(incomplete("create function f() begin atomic select 1;"), Some(Incomplete::Body));
}
