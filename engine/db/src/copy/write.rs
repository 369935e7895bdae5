//! Writing rows as COPY does.

use helios_sql::execute::Batch;
use helios_types::Result;

use super::CopyOptions;
use crate::session::RowEncoder;

/// Writes rows as lines.
pub(crate) struct RowWriter {
    options: CopyOptions,
    encoder: RowEncoder,
    /// FORCE_QUOTE, by column.
    force_quote: Vec<bool>,
    value: Vec<u8>,
}

impl RowWriter {
    pub(crate) fn new(options: CopyOptions, encoder: RowEncoder, force_quote: Vec<bool>) -> RowWriter {
        RowWriter { options, encoder, force_quote, value: Vec::new() }
    }

    /// The header line.
    pub(crate) fn header(&self, names: &[&str], out: &mut Vec<u8>) {
        for (index, name) in names.iter().enumerate() {
            if index > 0 {
                out.push(self.options.delimiter);
            }
            if self.options.is_csv() {
                self.csv(name.as_bytes(), false, names.len() == 1, out);
            } else {
                self.text(name.as_bytes(), out);
            }
        }
        out.push(b'\n');
    }

    /// A row.
    pub(crate) fn row(&mut self, batch: &Batch, row: usize, out: &mut Vec<u8>) -> Result<()> {
        let columns = batch.columns().len();
        for column in 0..columns {
            if column > 0 {
                out.push(self.options.delimiter);
            }
            let mut value = std::mem::take(&mut self.value);
            value.clear();
            if !self.encoder.value(batch, row, column, &mut value)? {
                out.extend_from_slice(self.options.null.as_bytes());
            } else if self.options.is_csv() {
                self.csv(&value, self.force_quote[column], columns == 1, out);
            } else {
                self.text(&value, out);
            }
            self.value = value;
        }
        out.push(b'\n');
        Ok(())
    }

    fn text(&self, value: &[u8], out: &mut Vec<u8>) {
        let mut done = 0;
        for (at, &byte) in value.iter().enumerate() {
            let escaped = match byte {
                b'\\' => b'\\',
                8 => b'b',
                12 => b'f',
                b'\n' => b'n',
                b'\r' => b'r',
                b'\t' => b't',
                11 => b'v',
                other if other == self.options.delimiter => other,
                _ => continue,
            };
            // A tab that is the delimiter is `\t` all the same.
            out.extend_from_slice(&value[done..at]);
            out.extend_from_slice(&[b'\\', escaped]);
            done = at + 1;
        }
        out.extend_from_slice(&value[done..]);
    }

    fn csv(&self, value: &[u8], force: bool, single: bool, out: &mut Vec<u8>) {
        let (quote, escape) = (self.options.quote, self.options.escape);
        let special = |byte: &u8| *byte == self.options.delimiter || *byte == quote || matches!(byte, b'\n' | b'\r');
        // What looks like NULL, or like the end of the data, is quoted.
        let needs_quotes =
            force || value == self.options.null.as_bytes() || (single && value == b"\\.") || value.iter().any(special);
        if !needs_quotes {
            out.extend_from_slice(value);
            return;
        }
        out.push(quote);
        for &byte in value {
            if byte == quote || byte == escape {
                out.push(escape);
            }
            out.push(byte);
        }
        out.push(quote);
    }
}
