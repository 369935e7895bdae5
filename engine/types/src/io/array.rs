//! Text form of arrays: `{1,2,NULL,"a b"}`, nested, with lower bounds `[0:1]={1,2}`; and of int2vector and oidvector.

use std::sync::Arc;

use super::{InputContext, Style, input, integer, is_space, output};
use crate::{Array, Datum, Oid, PgError, Result, SqlState, TypeMod, oid};

/// Most dimensions that an array may have.
pub(crate) const DIMENSIONS_MAX: usize = 6;
/// Most elements that an array may have (PostgreSQL's MaxArraySize).
pub(crate) const ELEMENTS_MAX: i64 = 134_217_727;

/// The separator of a type's array elements: `;` for box, `,` for all others.
fn delimiter(element: Oid) -> u8 {
    if element == Oid(603) { b';' } else { b',' }
}

fn malformed(text: &str, detail: impl Into<String>) -> PgError {
    PgError::new(SqlState::INVALID_TEXT_REPRESENTATION, format!("malformed array literal: \"{text}\""))
        .with_detail(detail)
}

pub(crate) fn too_many_dimensions() -> PgError {
    PgError::new(
        SqlState::PROGRAM_LIMIT_EXCEEDED,
        format!("number of array dimensions exceeds the maximum allowed ({DIMENSIONS_MAX})"),
    )
}

pub(crate) fn too_many_elements() -> PgError {
    PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, format!("array size exceeds the maximum allowed ({ELEMENTS_MAX})"))
}

enum Token {
    Open,
    Close,
    Delimiter,
    /// In the scanner's buffer.
    Element,
    Null,
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    delimiter: u8,
    buffer: Vec<u8>,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn malformed(&self, detail: impl Into<String>) -> PgError {
        malformed(self.text, detail)
    }

    fn ended(&self) -> PgError {
        self.malformed("Unexpected end of input.")
    }

    fn unexpected(&self, character: char) -> PgError {
        self.malformed(format!("Unexpected \"{character}\" character."))
    }

    fn token(&mut self) -> Result<Token> {
        self.skip_space();
        self.buffer.clear();
        let single = match self.peek() {
            None => return Err(self.ended()),
            Some(b'{') => Token::Open,
            Some(b'}') => Token::Close,
            Some(b'"') => return self.quoted(),
            Some(byte) if byte == self.delimiter => Token::Delimiter,
            Some(_) => return self.unquoted(),
        };
        self.at += 1;
        Ok(single)
    }

    fn quoted(&mut self) -> Result<Token> {
        loop {
            self.at += 1;
            match self.peek() {
                None => return Err(self.ended()),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.peek().ok_or_else(|| self.ended())?;
                    self.buffer.push(escaped);
                }
                Some(byte) => self.buffer.push(byte),
            }
        }
        self.at += 1;
        self.skip_space();
        match self.peek() {
            Some(byte) if byte == self.delimiter || byte == b'}' || byte == b'{' => Ok(Token::Element),
            _ => Err(self.malformed("Incorrectly quoted array element.")),
        }
    }

    fn unquoted(&mut self) -> Result<Token> {
        let mut escapes = false;
        // Trailing white space does not belong to the element.
        let mut kept = 0;
        loop {
            match self.peek() {
                None => return Err(self.ended()),
                Some(b'{') => return Err(self.unexpected('{')),
                Some(b'"') => return Err(self.malformed("Incorrectly quoted array element.")),
                Some(b'\\') => {
                    self.at += 1;
                    let escaped = self.peek().ok_or_else(|| self.ended())?;
                    self.buffer.push(escaped);
                    (escapes, kept) = (true, self.buffer.len());
                }
                Some(byte) if byte == self.delimiter || byte == b'}' => {
                    self.buffer.truncate(kept);
                    let null = !escapes && self.buffer.eq_ignore_ascii_case(b"null");
                    return Ok(if null { Token::Null } else { Token::Element });
                }
                Some(byte) => {
                    self.buffer.push(byte);
                    if !is_space(byte) {
                        kept = self.buffer.len();
                    }
                }
            }
            self.at += 1;
        }
    }

    /// An optional sign and digits; `None` where there are none.
    fn bound(&mut self) -> Result<Option<i32>> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.starts_with(['-', '+']));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        if digits == 0 {
            return Ok(None);
        }
        let number = &rest[..sign + digits];
        self.at += number.len();
        let out_of_range = |_| PgError::new(SqlState::PROGRAM_LIMIT_EXCEEDED, "array bound is out of integer range");
        number.parse().map(Some).map_err(out_of_range)
    }

    /// `[2:3][5]`: lengths and lower bounds.
    fn dimensions(&mut self) -> Result<Vec<(i32, i32)>> {
        let mut dimensions = Vec::new();
        loop {
            self.skip_space();
            if self.peek() != Some(b'[') {
                return Ok(dimensions);
            }
            self.at += 1;
            if dimensions.len() >= DIMENSIONS_MAX {
                return Err(too_many_dimensions());
            }
            let first = self
                .bound()?
                .ok_or_else(|| self.malformed("\"[\" must introduce explicitly-specified array dimensions."))?;
            let (lower, upper) = if self.peek() == Some(b':') {
                self.at += 1;
                (first, self.bound()?.ok_or_else(|| self.malformed("Missing array dimension value."))?)
            } else {
                (1, first)
            };
            if self.peek() != Some(b']') {
                return Err(self.malformed("Missing \"]\" after array dimensions."));
            }
            self.at += 1;
            if upper < lower {
                return Err(PgError::new(
                    SqlState::ARRAY_SUBSCRIPT_ERROR,
                    "upper bound cannot be less than lower bound",
                ));
            }
            if upper == i32::MAX {
                return Err(PgError::new(
                    SqlState::PROGRAM_LIMIT_EXCEEDED,
                    format!("array upper bound is too large: {upper}"),
                ));
            }
            let length = i64::from(upper) - i64::from(lower) + 1;
            dimensions.push((i32::try_from(length).map_err(|_| too_many_elements())?, lower));
        }
    }
}

/// Reads an array.
pub(crate) fn parse(element: Oid, typmod: TypeMod, text: &str, context: &InputContext<'_>) -> Result<Datum> {
    let mut scanner = Scanner { text, at: 0, delimiter: delimiter(element), buffer: Vec::new() };
    let given = scanner.dimensions()?;
    if given.is_empty() {
        if scanner.peek() != Some(b'{') {
            return Err(scanner.malformed("Array value must start with \"{\" or dimension information."));
        }
    } else {
        if scanner.peek() != Some(b'=') {
            return Err(scanner.malformed("Missing \"=\" after array dimensions."));
        }
        scanner.at += 1;
        scanner.skip_space();
        if scanner.peek() != Some(b'{') {
            return Err(scanner.malformed("Array contents must start with \"{\"."));
        }
    }
    let (lengths, elements) = parse_contents(&mut scanner, &given, |text| input(element, typmod, text, context))?;
    scanner.skip_space();
    if scanner.peek().is_some() {
        return Err(scanner.malformed("Junk after closing right brace."));
    }
    if elements.is_empty() {
        return Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions: Vec::new(), elements })));
    }
    let dimensions = lengths
        .iter()
        .enumerate()
        .map(|(dimension, length)| (*length as i32, given.get(dimension).map_or(1, |(_, lower)| *lower)))
        .collect();
    Ok(Datum::Array(Arc::new(Array { element_type: element, dimensions, elements })))
}

/// The braces and what is between them: length of each dimension, elements in row-major order.
fn parse_contents(
    scanner: &mut Scanner<'_>,
    given: &[(i32, i32)],
    mut read: impl FnMut(&str) -> Result<Datum>,
) -> Result<(Vec<i64>, Vec<Datum>)> {
    let mismatch = if given.is_empty() {
        "Multidimensional arrays must have sub-arrays with matching dimensions."
    } else {
        "Specified array dimensions do not match array contents."
    };
    // Known lengths of the dimensions, and how many elements the open levels have so far.
    let mut lengths: [Option<i64>; DIMENSIONS_MAX] = [None; DIMENSIONS_MAX];
    given.iter().zip(&mut lengths).for_each(|((length, _), known)| *known = Some(i64::from(*length)));
    let mut counts = [0i64; DIMENSIONS_MAX];
    let (mut depth, mut dimensions, mut frozen) = (0, given.len(), !given.is_empty());
    let mut expect_delimiter = false;
    let mut elements = Vec::new();
    loop {
        match scanner.token()? {
            Token::Open => {
                if expect_delimiter {
                    return Err(scanner.unexpected('{'));
                }
                if depth >= DIMENSIONS_MAX {
                    return Err(too_many_dimensions());
                }
                counts[depth] = 0;
                depth += 1;
                if depth > dimensions {
                    if frozen {
                        return Err(scanner.malformed(mismatch));
                    }
                    dimensions = depth;
                }
            }
            Token::Close => {
                if counts[depth - 1] > 0 && !expect_delimiter {
                    return Err(scanner.unexpected('}'));
                }
                depth -= 1;
                if depth > 0 {
                    counts[depth - 1] += 1;
                }
                match lengths[depth] {
                    None => lengths[depth] = Some(counts[depth]),
                    Some(length) if length != counts[depth] => return Err(scanner.malformed(mismatch)),
                    Some(_) => {}
                }
                expect_delimiter = true;
                if depth == 0 {
                    break;
                }
            }
            Token::Delimiter => {
                if !expect_delimiter {
                    return Err(scanner.unexpected(char::from(scanner.delimiter)));
                }
                expect_delimiter = false;
            }
            token @ (Token::Element | Token::Null) => {
                if expect_delimiter {
                    return Err(scanner.malformed("Unexpected array element."));
                }
                if elements.len() as i64 >= ELEMENTS_MAX {
                    return Err(too_many_elements());
                }
                elements.push(match token {
                    Token::Null => Datum::Null,
                    _ => read(std::str::from_utf8(&scanner.buffer).expect("escapes keep characters whole"))?,
                });
                frozen = true;
                if depth != dimensions {
                    return Err(scanner.malformed(mismatch));
                }
                counts[depth - 1] += 1;
                expect_delimiter = true;
            }
        }
    }
    Ok((lengths[..dimensions].iter().map(|length| length.unwrap_or(0)).collect(), elements))
}

/// Reads an int2vector or oidvector: numbers with white space between, lower bound 0.
pub(crate) fn parse_vector(type_oid: Oid, text: &str) -> Result<Datum> {
    let words = text.split(|c: char| c.is_ascii() && is_space(c as u8)).filter(|word| !word.is_empty());
    let (element_type, elements) = if type_oid == oid::INT2VECTOR {
        (oid::INT2, words.map(|word| integer::parse_i16(word).map(Datum::I16)).collect::<Result<Vec<_>>>()?)
    } else {
        (oid::OID, words.map(|word| integer::parse_u32("oid", word).map(Datum::U32)).collect::<Result<Vec<_>>>()?)
    };
    let dimensions = vec![(elements.len() as i32, 0)];
    Ok(Datum::Array(Arc::new(Array { element_type, dimensions, elements })))
}

/// Appends an int2vector or oidvector.
pub(crate) fn write_vector(array: &Array, style: &Style, out: &mut Vec<u8>) {
    for (index, element) in array.elements.iter().enumerate() {
        if index > 0 {
            out.push(b' ');
        }
        output::write(array.element_type, element, style, out);
    }
}

/// Appends an array.
pub(crate) fn write(array: &Array, style: &Style, out: &mut Vec<u8>) {
    if array.dimensions.is_empty() {
        return out.extend_from_slice(b"{}");
    }
    if array.dimensions.iter().any(|(_, lower)| *lower != 1) {
        for (length, lower) in &array.dimensions {
            out.push(b'[');
            integer::write_i64(i64::from(*lower), out);
            out.push(b':');
            integer::write_i64(i64::from(*lower) + i64::from(*length) - 1, out);
            out.push(b']');
        }
        out.push(b'=');
    }
    let mut elements = array.elements.iter();
    let mut scratch = Vec::new();
    write_level(array, 0, &mut elements, style, &mut scratch, out);
}

fn write_level(
    array: &Array,
    depth: usize,
    elements: &mut std::slice::Iter<'_, Datum>,
    style: &Style,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    let separator = delimiter(array.element_type);
    out.push(b'{');
    for index in 0..array.dimensions[depth].0 {
        if index > 0 {
            out.push(separator);
        }
        if depth + 1 < array.dimensions.len() {
            write_level(array, depth + 1, elements, style, scratch, out);
            continue;
        }
        match elements.next() {
            None => break,
            Some(Datum::Null) => out.extend_from_slice(b"NULL"),
            Some(element) => {
                scratch.clear();
                output::write(array.element_type, element, style, scratch);
                write_element(scratch, separator, out);
            }
        }
    }
    out.push(b'}');
}

fn write_element(text: &[u8], separator: u8, out: &mut Vec<u8>) {
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | b'{' | b'}') || *byte == separator || is_space(*byte);
    if !text.is_empty() && !text.eq_ignore_ascii_case(b"null") && !text.iter().any(special) {
        return out.extend_from_slice(text);
    }
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
