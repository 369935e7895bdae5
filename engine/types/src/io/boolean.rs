//! Text form of bool.

use super::{invalid_syntax, trim};
use crate::Result;

/// Any prefix of `true`, `false`, `yes`, `no`; `on`, `off` and their prefix `of`; `1`, `0`. In any case.
pub(crate) fn parse(text: &str) -> Result<bool> {
    parse_word(trim(text)).ok_or_else(|| invalid_syntax("boolean", text))
}

/// A boolean word without white space around it, `None` for any other; settings read booleans this way.
pub fn parse_word(word: &str) -> Option<bool> {
    let is_prefix_of =
        |whole: &str| !word.is_empty() && whole.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
    if is_prefix_of("true") || is_prefix_of("yes") || word == "1" || word.eq_ignore_ascii_case("on") {
        Some(true)
    } else if is_prefix_of("false") || is_prefix_of("no") || word == "0" || (word.len() > 1 && is_prefix_of("off")) {
        Some(false)
    } else {
        None
    }
}
