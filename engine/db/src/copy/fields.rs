//! Cutting lines into fields.

use helios_types::Result;
use helios_types::io::checked_text;

use super::{CopyOptions, bad_format};

/// Cuts lines into fields. It keeps its buffers from line to line.
#[derive(Debug)]
pub(crate) struct FieldReader {
    delimiter: u8,
    csv: Option<(u8, u8)>,
    null: Vec<u8>,
    default: Option<Vec<u8>>,
    fields: Fields,
}

/// The fields of a line.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    text: String,
    fields: Vec<Field>,
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Null,
    Default,
    Text { start: usize, end: usize },
}

/// A field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawField<'a> {
    /// It is the NULL string.
    Null,
    /// It is the DEFAULT string.
    Default,
    /// It is this.
    Text(&'a str),
}

impl Fields {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.fields.len()
    }

    /// A field.
    pub(crate) fn get(&self, index: usize) -> RawField<'_> {
        match self.fields[index] {
            Field::Null => RawField::Null,
            Field::Default => RawField::Default,
            Field::Text { start, end } => RawField::Text(&self.text[start..end]),
        }
    }
}

impl FieldReader {
    pub(crate) fn new(options: &CopyOptions) -> FieldReader {
        FieldReader {
            delimiter: options.delimiter,
            csv: options.is_csv().then_some((options.quote, options.escape)),
            null: options.null.clone().into_bytes(),
            default: options.default.clone().map(String::into_bytes),
            fields: Fields::default(),
        }
    }

    /// The fields of a line, which is text already.
    pub(crate) fn read(&mut self, line: &str) -> Result<&Fields> {
        let mut bytes = std::mem::take(&mut self.fields.text).into_bytes();
        bytes.clear();
        self.fields.fields.clear();
        let suspicious = match self.csv {
            None => self.read_text(line.as_bytes(), &mut bytes),
            Some((quote, escape)) => {
                self.read_csv(line.as_bytes(), quote, escape, &mut bytes)?;
                false
            }
        };
        if suspicious {
            // Escapes have made bytes that the line did not have.
            for field in &self.fields.fields {
                if let Field::Text { start, end } = field {
                    checked_text(&bytes[*start..*end])?;
                }
            }
        }
        self.fields.text = String::from_utf8(bytes).map_err(|_| bad_format("a field is not text"))?;
        Ok(&self.fields)
    }

    fn add(&mut self, raw: &[u8], start: usize, end: usize) {
        let field = if raw == self.null {
            Field::Null
        } else if self.default.as_deref() == Some(raw) {
            Field::Default
        } else {
            Field::Text { start, end }
        };
        self.fields.fields.push(field);
    }

    /// Whether escapes made bytes that may not be text.
    fn read_text(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let mut suspicious = false;
        let mut at = 0;
        loop {
            let (raw_start, start) = (at, out.len());
            let raw_end = loop {
                let special = |byte: &u8| *byte == self.delimiter || *byte == b'\\';
                let skip = line[at..].iter().position(special).unwrap_or(line.len() - at);
                out.extend_from_slice(&line[at..at + skip]);
                at += skip;
                if at == line.len() || line[at] == self.delimiter || at + 1 == line.len() {
                    break at;
                }
                let byte = line[at + 1];
                at += 2;
                out.push(match byte {
                    b'0'..=b'7' => {
                        let mut value = u32::from(byte - b'0');
                        for _ in 0..2 {
                            let Some(digit @ b'0'..=b'7') = line.get(at) else { break };
                            value = value << 3 | u32::from(digit - b'0');
                            at += 1;
                        }
                        let byte = (value & 0xff) as u8;
                        suspicious |= byte == 0 || byte >= 0x80;
                        byte
                    }
                    b'x' => {
                        let mut value = None;
                        for _ in 0..2 {
                            let digit = line.get(at).and_then(|digit| char::from(*digit).to_digit(16));
                            let Some(digit) = digit else { break };
                            value = Some(value.unwrap_or(0) << 4 | digit);
                            at += 1;
                        }
                        let byte = value.map_or(b'x', |value| (value & 0xff) as u8);
                        suspicious |= byte == 0 || byte >= 0x80;
                        byte
                    }
                    b'b' => 8,
                    b'f' => 12,
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => 11,
                    // Anything else stands for itself.
                    other => other,
                });
            };
            self.add(&line[raw_start..raw_end], start, out.len());
            match line.get(at) {
                Some(byte) if *byte == self.delimiter => at += 1,
                _ => return suspicious,
            }
        }
    }

    fn read_csv(&mut self, line: &[u8], quote: u8, escape: u8, out: &mut Vec<u8>) -> Result<()> {
        let mut at = 0;
        loop {
            let (raw_start, start) = (at, out.len());
            let mut quoted = false;
            let mut more = false;
            loop {
                let special = |byte: &u8| *byte == self.delimiter || *byte == quote;
                let skip = line[at..].iter().position(special).unwrap_or(line.len() - at);
                out.extend_from_slice(&line[at..at + skip]);
                at += skip;
                if at == line.len() {
                    break;
                }
                if line[at] == self.delimiter {
                    more = true;
                    break;
                }
                quoted = true;
                at = read_quoted(line, at + 1, quote, escape, out)?;
            }
            if quoted {
                self.fields.fields.push(Field::Text { start, end: out.len() });
            } else {
                self.add(&line[raw_start..at], start, out.len());
            }
            if !more {
                return Ok(());
            }
            at += 1;
        }
    }
}

/// Reads from behind an opening quote to behind the closing one.
fn read_quoted(line: &[u8], mut at: usize, quote: u8, escape: u8, out: &mut Vec<u8>) -> Result<usize> {
    while let Some(&byte) = line.get(at) {
        at += 1;
        if byte == escape
            && let Some(&next) = line.get(at)
            && (next == escape || next == quote)
        {
            out.push(next);
            at += 1;
        } else if byte == quote {
            return Ok(at);
        } else {
            out.push(byte);
        }
    }
    Err(bad_format("unterminated CSV quoted field"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::CopyFormat;

    fn options(format: CopyFormat) -> CopyOptions {
        let mut options = CopyOptions::parse(&[], true).expect("no options");
        if format == CopyFormat::Csv {
            options.format = format;
            options.delimiter = b',';
            options.null = String::new();
        }
        options
    }

    fn read(reader: &mut FieldReader, line: &str) -> Vec<Option<String>> {
        let fields = reader.read(line).expect("readable");
        (0..fields.len())
            .map(|index| match fields.get(index) {
                RawField::Text(text) => Some(text.to_owned()),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn text_escapes() {
        let mut reader = FieldReader::new(&options(CopyFormat::Text));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(&mut reader, "1\t\\x41\\101\\b\\\\\\q\t3"), [some("1"), some("AA\u{8}\\q"), some("3")]);
        assert_eq!(read(&mut reader, "\\N\t\\NN\t"), [None, some("NN"), some("")]);
        assert_eq!(read(&mut reader, ""), [some("")]);
        assert_eq!(read(&mut reader, "\\xc3\\xa9"), [some("é")]);
        assert_eq!(read(&mut reader, "a\\"), [some("a")]);
        assert!(reader.read("\\xff").is_err());
        assert_eq!(read(&mut reader, "again"), [some("again")]);
    }

    #[test]
    fn csv_quotes() {
        let mut reader = FieldReader::new(&options(CopyFormat::Csv));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read(&mut reader, "1,\"a,\"\"b\nc\",3"), [some("1"), some("a,\"b\nc"), some("3")]);
        assert_eq!(read(&mut reader, "2,,\"\""), [some("2"), None, some("")]);
        assert_eq!(read(&mut reader, "\"x\"y\"z\""), [some("xyz")]);
        assert!(reader.read("1,\"abc").is_err());
    }
}
