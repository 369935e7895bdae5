//! The bytes.

/// A message: kind, length, body.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &(body.len() as u32 + 4).to_be_bytes(), body].concat()
}

/// A start-up packet of protocol 3.0.
pub(crate) fn startup(parameters: &[(&str, &str)]) -> Vec<u8> {
    startup_of(3 << 16, parameters)
}

pub(crate) fn startup_of(version: u32, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend_from_slice(format!("{name}\0{value}\0").as_bytes());
    }
    body.push(0);
    packet(&body)
}

fn packet(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

pub(crate) fn query(sql: &str) -> Vec<u8> {
    message(b'Q', format!("{sql}\0").as_bytes())
}

fn parse(name: &str, sql: &str) -> Vec<u8> {
    message(b'P', format!("{name}\0{sql}\0\0\0").as_bytes())
}

/// Bind of the unnamed statement to the unnamed portal; the values as text or binary.
fn bind(binary: bool, values: &[&[u8]]) -> Vec<u8> {
    let mut body = b"\0\0\0\x01\0".to_vec();
    body.push(u8::from(binary));
    body.extend_from_slice(&(values.len() as u16).to_be_bytes());
    for value in values {
        body.extend_from_slice(&(value.len() as u32).to_be_bytes());
        body.extend_from_slice(value);
    }
    body.extend_from_slice(b"\0\0");
    message(b'B', &body)
}

fn execute() -> Vec<u8> {
    message(b'E', b"\0\0\0\0\0")
}

fn sync() -> Vec<u8> {
    message(b'S', b"")
}

/// A name for people, and everything that is sent on one connection.
pub(crate) fn cases() -> Vec<(&'static str, Vec<u8>)> {
    let mut all = before_a_session();
    // Each of these within a session; and then a question, to see whether it is still one.
    let still = query("select 'still here'");
    let within = framing().into_iter().chain(messages()).chain(statements());
    all.extend(within.map(|(name, bytes)| (name, [startup(&[("user", "postgres")]), bytes, still.clone()].concat())));
    all
}

fn before_a_session() -> Vec<(&'static str, Vec<u8>)> {
    let ssl = packet(&80_877_103u32.to_be_bytes());
    vec![
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("nothing at all", Vec::new()),
        ("one byte", vec![0]),
        ("zeros", vec![0; 16]),
        ("a start-up packet that is too short", b"\0\0\0\x04".to_vec()),
        ("a start-up packet that is too long", b"\0\x10\0\0\0\x03\0\0".to_vec()),
        ("half a start-up packet", startup(&[("user", "postgres")])[..12].to_vec()),
        ("no terminator", packet(b"\0\x03\0\0user\0postgres\0")),
        ("a name without a value", packet(b"\0\x03\0\0user\0")),
        ("bytes behind the terminator", packet(b"\0\x03\0\0user\0postgres\0\0more")),
        ("no user", startup(&[("database", "postgres")])),
        ("an empty user", startup(&[("user", ""), ("database", "postgres")])),
        ("an unknown role", startup(&[("user", "nobody_of_this_name"), ("database", "postgres")])),
        ("an unknown database", startup(&[("user", "postgres"), ("database", "nowhere_of_this_name")])),
        ("an unknown setting", startup(&[("user", "postgres"), ("no_such_setting", "1")])),
        ("a wrong value of a setting", startup(&[("user", "postgres"), ("statement_timeout", "soon")])),
        (
            "TLS, refused, and on in the clear",
            [ssl.clone(), startup(&[("user", "postgres")]), query("select 1")].concat(),
        ),
        ("TLS, refused, and garbage", [ssl, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec()].concat()),
        ("a cancel request that is too short", packet(&80_877_102u32.to_be_bytes())),
        ("a cancel request for nobody", packet(&[80_877_102u32.to_be_bytes(), [0; 4], [0; 4]].concat())),
    ]
}

fn framing() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("an unknown message type", vec![1, 0, 0, 0, 4]),
        ("HTTP within a session", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("a length of zero", b"Q\0\0\0\0".to_vec()),
        ("a length of three", b"Q\0\0\0\x03".to_vec()),
        ("a length of four thousand millions", b"Q\xff\xff\xff\xff".to_vec()),
        ("a length of two thousand millions", b"Q\x7f\xff\xff\xff".to_vec()),
        ("a Sync of twenty thousand bytes", b"S\0\0\x4e\x20".to_vec()),
        ("a message from the server", message(b'Z', b"I")),
    ]
}

fn messages() -> Vec<(&'static str, Vec<u8>)> {
    let with_sync = |bytes: Vec<u8>| [bytes, sync()].concat();
    let int = |binary, value: &[u8]| [parse("", "select $1::int4"), bind(binary, &[value]), execute(), sync()].concat();
    let string =
        |binary, value: &[u8]| [parse("", "select $1::text"), bind(binary, &[value]), execute(), sync()].concat();
    vec![
        ("a query without its end", message(b'Q', b"select 1")),
        ("a query with more behind its end", message(b'Q', b"select 1\0select 2\0")),
        ("a query of nothing", message(b'Q', b"")),
        ("a query that is empty", message(b'Q', b"\0")),
        ("a query that is no UTF-8", message(b'Q', b"select '\xff\xfe'\0")),
        ("a query that ends within a character", message(b'Q', b"select '\xe2\x82\0")),
        ("a query with an overlong character", message(b'Q', b"select '\xc0\xaf'\0")),
        ("a query with a surrogate", message(b'Q', b"select '\xed\xa0\x80'\0")),
        ("a Parse that is cut off", with_sync(message(b'P', b"\0select 1\0"))),
        ("a Parse that is no UTF-8", with_sync(message(b'P', b"\0select '\x80'\0\0\0"))),
        ("a Parse that promises types", with_sync(message(b'P', b"\0select 1\0\0\x05\0\0"))),
        ("a Parse of two statements", with_sync(parse("", "select 1; select 2"))),
        ("a Bind that is cut off", [parse("", "select 1"), message(b'B', b"\0\0\0"), sync()].concat()),
        ("a Bind to no statement", with_sync(message(b'B', b"\0none\0\0\0\0\0\0\0"))),
        ("a Bind with too few values", [parse("", "select $1::int4"), bind(false, &[]), execute(), sync()].concat()),
        ("a Bind with too many values", [parse("", "select 1"), bind(false, &[b"1"]), execute(), sync()].concat()),
        (
            "a Bind with a wrong format",
            [parse("", "select $1::int4"), message(b'B', b"\0\0\0\x01\0\x07\0\x01\0\0\0\x011\0\0"), sync()].concat(),
        ),
        (
            "a Bind with formats for other values",
            [parse("", "select $1::int4"), message(b'B', b"\0\0\0\x02\0\0\0\0\0\x01\0\0\0\x011\0\0"), sync()].concat(),
        ),
        (
            "a Bind with result formats for other columns",
            [parse("", "select 1"), message(b'B', b"\0\0\0\0\0\0\0\x02\0\0\0\0"), execute(), sync()].concat(),
        ),
        (
            "a Bind whose value is longer than the message",
            [parse("", "select $1::int4"), message(b'B', b"\0\0\0\0\0\x01\x7f\xff\xff\xff1\0\0"), sync()].concat(),
        ),
        (
            "a Bind whose value has a negative length",
            [parse("", "select $1::int4"), message(b'B', b"\0\0\0\0\0\x01\xff\xff\xff\xfe1\0\0"), sync()].concat(),
        ),
        ("an integer that is none", int(false, b"three")),
        ("an integer that is empty", int(false, b"")),
        ("an integer that is too large", int(false, b"99999999999")),
        ("a binary integer of three bytes", int(true, b"\0\0\x01")),
        ("a binary integer of five bytes", int(true, b"\0\0\0\0\x01")),
        ("a text that is no UTF-8", string(false, b"a\xffb")),
        ("a text with a zero byte", string(false, b"a\0b")),
        ("a binary text with a zero byte", string(true, b"a\0b")),
        ("a Describe of neither", with_sync(message(b'D', b"X\0"))),
        ("a Describe of no statement", with_sync(message(b'D', b"Snone\0"))),
        ("a Describe of no portal", with_sync(message(b'D', b"Pnone\0"))),
        ("a Describe of nothing", with_sync(message(b'D', b""))),
        ("a Close of neither", with_sync(message(b'C', b"X\0"))),
        ("a Close of no statement", with_sync(message(b'C', b"Snone\0"))),
        ("an Execute of no portal", with_sync(message(b'E', b"none\0\0\0\0\0"))),
        ("an Execute that is cut off", with_sync(message(b'E', b"\0\0\0"))),
        ("a Sync with a body", message(b'S', b"body")),
        ("a Flush with a body", with_sync(message(b'H', b"body"))),
        ("CopyData outside of COPY", message(b'd', b"1\t2\n")),
        ("CopyDone outside of COPY", message(b'c', b"")),
        ("CopyFail outside of COPY", message(b'f', b"no\0")),
        ("a password that nobody asked for", message(b'p', b"secret\0")),
        (
            "everything up to Sync is passed over after an error",
            [parse("", "selec 1"), parse("a", "select 1"), bind(false, &[]), execute(), query("select 2"), sync()]
                .concat(),
        ),
        (
            "COPY answered with a query",
            [query("begin; create table copied (a int)"), query("copy copied from stdin"), query("select 1")].concat(),
        ),
        (
            "COPY with lines that are none",
            [
                query("begin; create table copied (a int)"),
                query("copy copied from stdin"),
                message(b'd', b"x\n"),
                message(b'c', b""),
            ]
            .concat(),
        ),
        (
            "COPY with bytes that are no UTF-8",
            [
                query("begin; create table copied (a text)"),
                query("copy copied from stdin"),
                message(b'd', b"\xff\n"),
                message(b'c', b""),
            ]
            .concat(),
        ),
    ]
}

fn statements() -> Vec<(&'static str, Vec<u8>)> {
    let nested = |depth: usize| query(&format!("select {}1{}", "(".repeat(depth), ")".repeat(depth)));
    let chained = |count: usize, operator: &str| query(&format!("select 1{}", operator.repeat(count)));
    vec![
        ("a syntax error", query("selec 1")),
        ("a string without its end", query("select 'abc")),
        ("a comment without its end", query("select 1 /* and")),
        ("an identifier of nothing", query("select 1 as \"\"")),
        ("an unknown table", query("select * from nowhere")),
        ("an unknown column", query("select nothing")),
        ("an unknown function", query("select nothing(1)")),
        ("an unknown operator", query("select 1 @#@ 2")),
        ("an unknown type", query("select 1::nothing")),
        ("an unknown schema", query("create table nowhere.t (a int)")),
        ("an unknown setting in SET", query("set nothing = 1")),
        ("types that do not fit", query("select 1 + true")),
        ("text that is no integer", query("select 'x'::int")),
        ("int4 overflow", query("select 2147483647 + 1")),
        ("int8 overflow", query("select 9223372036854775807 + 1")),
        ("int2 overflow", query("select 32767::int2 + 1::int2")),
        ("the one negation that overflows", query("select -(-2147483648)::int4")),
        ("the one division that overflows", query("select (-2147483648)::int4 / -1")),
        ("float8 overflow", query("select 1e308::float8 * 10")),
        ("numeric overflow", query("select 1e131072")),
        ("numeric(3) overflow", query("select 12345::numeric(3)")),
        ("division by zero", query("select 1 / 0")),
        ("division of floats by zero", query("select 1.0::float8 / 0")),
        ("modulo zero", query("select 1 % 0")),
        ("numeric division by zero", query("select 1.5 / 0")),
        ("a date that is none", query("select '2023-02-29'::date")),
        ("an escape that is no UTF-8", query(r"select E'\xff'")),
        ("an escape of zero", query(r"select E'\000'")),
        ("an escape of a surrogate", query(r"select E'\ud800'")),
        ("chr(0)", query("select chr(0)")),
        ("an error fails the whole script", query("create table s (a int); select 1 / 0; select 2")),
        (
            "an error fails the block",
            [query("begin"), query("select 1 / 0"), query("select 1"), query("rollback")].concat(),
        ),
        ("a hundred thousand parentheses", nested(100_000)),
        ("a hundred thousand casts", query(&format!("select 1{}", "::int".repeat(100_000)))),
        ("a hundred thousand operators", chained(100_000, "+1")),
        ("five thousand alternatives", query(&format!("select 1 where true{}", " or false".repeat(5_000)))),
        ("two thousand columns", query(&format!("select {}", vec!["1"; 2000].join(",")))),
    ]
}
