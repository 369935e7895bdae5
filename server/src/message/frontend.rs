//! What clients send.

use bytes::{Buf, Bytes, BytesMut};
use helios_types::io::checked_text;
use helios_types::{Oid, PgError, Result, SqlState};
use heliosdb::Format;

/// Longest start-up packet (PostgreSQL's MAX_STARTUP_PACKET_LENGTH).
const STARTUP_BYTES_MAX: usize = 10_000;
/// Longest message of the kinds that carry no user data (PQ_SMALL_MESSAGE_LIMIT).
const SMALL_BYTES_MAX: usize = 10_000;
/// Longest message of the kinds that do (PQ_LARGE_MESSAGE_LIMIT).
const LARGE_BYTES_MAX: usize = 0x3fff_ffff - 1;

/// The first packet of a connection.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Opening {
    /// May we speak TLS?
    Ssl,
    /// May we speak GSSAPI?
    Gss,
    /// Cancel what another connection does.
    Cancel { pid: i32, secret: i32 },
    /// Start a session in this protocol version (major, minor) with these parameters.
    Startup { version: (u16, u16), parameters: Vec<(String, String)> },
}

/// A message after the start.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) body: Bytes,
}

/// A conversation that cannot go on: what is sent was never a message.
#[derive(Debug)]
pub(crate) enum Garbage {
    /// The client is told why, and the connection is closed.
    Told(PgError),
    /// Whoever sends a length that no message has does not speak the protocol: the connection is closed without a word,
    /// and the log has the reason (PostgreSQL's COMMERROR).
    Unheard(&'static str),
}

fn garbage(message: impl Into<std::borrow::Cow<'static, str>>) -> Garbage {
    Garbage::Told(PgError::new(SqlState::PROTOCOL_VIOLATION, message))
}

/// Takes the first packet, if all of it has arrived.
pub(crate) fn take_opening(inbox: &mut BytesMut) -> std::result::Result<Option<Opening>, Garbage> {
    if inbox.len() < 4 {
        return Ok(None);
    }
    let length = u32::from_be_bytes([inbox[0], inbox[1], inbox[2], inbox[3]]) as usize;
    if !(8..=STARTUP_BYTES_MAX).contains(&length) {
        return Err(Garbage::Unheard("invalid length of startup packet"));
    }
    if inbox.len() < length {
        return Ok(None);
    }
    let mut packet = inbox.split_to(length).freeze();
    packet.advance(4);
    let code = packet.get_u32();
    match code {
        80_877_103 => return Ok(Some(Opening::Ssl)),
        80_877_104 => return Ok(Some(Opening::Gss)),
        80_877_102 => {
            if packet.len() != 8 {
                return Err(Garbage::Unheard("invalid length of cancel request packet"));
            }
            return Ok(Some(Opening::Cancel { pid: packet.get_i32(), secret: packet.get_i32() }));
        }
        _ => {}
    }
    let version = ((code >> 16) as u16, (code & 0xffff) as u16);
    let mut parameters = Vec::new();
    let invalid = || garbage("invalid startup packet layout: expected terminator as last byte");
    if version.0 == 3 {
        let mut reader = Reader(packet);
        loop {
            let name = reader.text().map_err(|_| invalid())?;
            if name.is_empty() {
                break;
            }
            parameters.push((name, reader.text().map_err(|_| invalid())?));
        }
        if !reader.0.is_empty() {
            return Err(invalid());
        }
    }
    Ok(Some(Opening::Startup { version, parameters }))
}

/// Takes a message, if all of it has arrived.
pub(crate) fn take_frame(inbox: &mut BytesMut) -> std::result::Result<Option<Frame>, Garbage> {
    let Some(&kind) = inbox.first() else { return Ok(None) };
    let limit = match kind {
        b'Q' | b'P' | b'B' | b'd' | b'F' | b'p' => LARGE_BYTES_MAX,
        b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => SMALL_BYTES_MAX,
        other => return Err(garbage(format!("invalid frontend message type {other}"))),
    };
    if inbox.len() < 5 {
        return Ok(None);
    }
    let length = u32::from_be_bytes([inbox[1], inbox[2], inbox[3], inbox[4]]) as usize;
    if !(4..=limit).contains(&length) {
        return Err(Garbage::Unheard("invalid message length"));
    }
    if inbox.len() < length + 1 {
        inbox.reserve((length + 1 - inbox.len()).min(1 << 20));
        return Ok(None);
    }
    let mut body = inbox.split_to(length + 1).freeze();
    body.advance(5);
    Ok(Some(Frame { kind, body }))
}

/// Parse.
pub(crate) struct Parse {
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) types: Vec<Oid>,
}

/// Bind.
pub(crate) struct Bind {
    pub(crate) portal: String,
    pub(crate) statement: String,
    pub(crate) formats: Vec<Format>,
    pub(crate) values: Vec<Option<Bytes>>,
    pub(crate) result_formats: Vec<Format>,
}

/// What Describe and Close are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Statement,
    Portal,
}

/// Query: one string.
pub(crate) fn query(body: Bytes) -> Result<String> {
    let mut reader = Reader(body);
    let sql = reader.text()?;
    reader.end()?;
    Ok(sql)
}

pub(crate) fn parse(body: Bytes) -> Result<Parse> {
    let mut reader = Reader(body);
    let (name, sql) = (reader.text()?, reader.text()?);
    let count = reader.count()?;
    let types = (0..count).map(|_| reader.u32().map(Oid)).collect::<Result<_>>()?;
    reader.end()?;
    Ok(Parse { name, sql, types })
}

pub(crate) fn bind(body: Bytes) -> Result<Bind> {
    let mut reader = Reader(body);
    let (portal, statement) = (reader.text()?, reader.text()?);
    let formats = reader.formats()?;
    let count = reader.count()?;
    let mut values = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let length = reader.u32()?;
        values.push(if length == u32::MAX { None } else { Some(reader.bytes(length as usize)?) });
    }
    let result_formats = reader.formats()?;
    reader.end()?;
    Ok(Bind { portal, statement, formats, values, result_formats })
}

pub(crate) fn target(body: Bytes, what: &str) -> Result<(Target, String)> {
    let mut reader = Reader(body);
    let target = match reader.u8()? {
        b'S' => Target::Statement,
        b'P' => Target::Portal,
        other => {
            let message = format!("invalid {what} message subtype {other}");
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, message));
        }
    };
    let name = reader.text()?;
    reader.end()?;
    Ok((target, name))
}

/// Sync or Flush: nothing.
pub(crate) fn nothing(body: Bytes) -> Result<()> {
    Reader(body).end()
}

pub(crate) fn execute(body: Bytes) -> Result<(String, usize)> {
    let mut reader = Reader(body);
    let (portal, rows) = (reader.text()?, reader.u32()?.cast_signed());
    reader.end()?;
    // Zero and negative numbers are "all", as in PostgreSQL.
    Ok((portal, usize::try_from(rows).unwrap_or(0)))
}

/// The start of a SASL exchange: mechanism and first message.
pub(crate) fn sasl_initial(body: Bytes) -> Result<(String, Bytes)> {
    let mut reader = Reader(body);
    let mechanism = reader.text()?;
    let length = reader.u32()?;
    let data = if length == u32::MAX { Bytes::new() } else { reader.bytes(length as usize)? };
    reader.end()?;
    Ok((mechanism, data))
}

/// Reads fields of a message.
struct Reader(Bytes);

fn too_short() -> PgError {
    PgError::new(SqlState::PROTOCOL_VIOLATION, "insufficient data left in message")
}

impl Reader {
    fn u8(&mut self) -> Result<u8> {
        if self.0.is_empty() {
            return Err(PgError::new(SqlState::PROTOCOL_VIOLATION, "no data left in message"));
        }
        Ok(self.0.get_u8())
    }

    fn u32(&mut self) -> Result<u32> {
        if self.0.len() < 4 { Err(too_short()) } else { Ok(self.0.get_u32()) }
    }

    fn count(&mut self) -> Result<usize> {
        if self.0.len() < 2 { Err(too_short()) } else { Ok(usize::from(self.0.get_u16())) }
    }

    fn bytes(&mut self, length: usize) -> Result<Bytes> {
        if self.0.len() < length { Err(too_short()) } else { Ok(self.0.split_to(length)) }
    }

    fn formats(&mut self) -> Result<Vec<Format>> {
        let count = self.count()?;
        (0..count)
            .map(|_| match self.count()? {
                0 => Ok(Format::Text),
                1 => Ok(Format::Binary),
                other => Err(PgError::new(
                    SqlState::INVALID_PARAMETER_VALUE,
                    format!("unsupported format code: {}", (other as u16).cast_signed()),
                )),
            })
            .collect()
    }

    /// A string up to its zero byte.
    fn text(&mut self) -> Result<String> {
        let end = self.0.iter().position(|byte| *byte == 0);
        let end = end.ok_or_else(|| PgError::new(SqlState::PROTOCOL_VIOLATION, "invalid string in message"))?;
        let text = self.0.split_to(end);
        self.0.advance(1);
        checked_text(&text).map(str::to_owned)
    }

    fn end(&self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(PgError::new(SqlState::PROTOCOL_VIOLATION, "invalid message format"))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BufMut;

    use super::*;

    #[test]
    fn a_message_waits_until_it_is_whole() {
        let mut inbox = BytesMut::from(&b"Q\0\0\0\x0dselect 1"[..]);
        assert!(take_frame(&mut inbox).unwrap().is_none());
        inbox.put_u8(0);
        let frame = take_frame(&mut inbox).unwrap().unwrap();
        assert_eq!((frame.kind, query(frame.body).unwrap().as_str()), (b'Q', "select 1"));
        assert!(inbox.is_empty());
    }

    #[test]
    fn garbage_is_refused_before_it_is_believed() {
        assert!(take_frame(&mut BytesMut::from(&b"\x01\x02\x03\x04\x05"[..])).is_err());
        assert!(take_frame(&mut BytesMut::from(&b"Q\xff\xff\xff\xff"[..])).is_err());
        assert!(take_frame(&mut BytesMut::from(&b"S\x00\x01\x00\x00"[..])).is_err());
        assert!(take_opening(&mut BytesMut::from(&b"GET / HTTP/1.1\r\n\r\n"[..])).is_err());
    }

    #[test]
    fn fields_that_are_cut_short_are_errors() {
        assert!(parse(Bytes::from_static(b"a\0select 1")).is_err());
        assert!(bind(Bytes::from_static(b"\0\0\0\x01")).is_err());
        assert!(execute(Bytes::from_static(b"\0\0\0")).is_err());
        assert!(target(Bytes::from_static(b"X\0"), "DESCRIBE").is_err());
        assert_eq!(query(Bytes::from_static(b"\xff\0")).unwrap_err().code(), SqlState::CHARACTER_NOT_IN_REPERTOIRE);
    }
}
