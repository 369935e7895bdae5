//! Making `anyelement` and its kin concrete.
//!
//! There are two families. In the first (`anyelement`, `anyarray`, `anynonarray`, `anyenum`, `anyrange`,
//! `anymultirange`) all arguments must agree exactly, an array with its element type and a range with its subtype. In
//! the second (`anycompatible`...) they must have a common type, to which they are then coerced. Unknown literals
//! follow the others.

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::types::{is_polymorphic, is_polymorphic_family_1, is_polymorphic_family_2, pseudo};
use super::{Lookup, mismatch};

/// What the arguments of a call say about the types that stand for others. `NONE`: nothing yet.
#[derive(Default)]
struct Bindings {
    element: Oid,
    array: Oid,
    range: Oid,
    multirange: Oid,
    must_be_scalar: bool,
    must_be_enum: bool,
    /// How many arguments are declared in the first family.
    family_1: usize,
    /// Types of the second family's arguments, arrays and ranges by their elements.
    compatible: Vec<Oid>,
    compatible_type: Oid,
    compatible_array: bool,
    compatible_scalar: bool,
    compatible_range: Oid,
    compatible_multirange: Oid,
    family_2: usize,
}

/// Sets a binding, or says what it was when it differs.
fn bind(slot: &mut Oid, actual: Oid) -> std::result::Result<(), Oid> {
    if slot.is_none() || *slot == actual {
        *slot = actual;
        return Ok(());
    }
    Err(*slot)
}

impl Lookup<'_> {
    /// Whether arguments of these types fit polymorphic parameters together (`check_generic_type_consistency`).
    pub(super) fn generic_types_agree(&self, actual: &[Oid], declared: &[Oid]) -> bool {
        let Ok(mut bindings) = self.collect(actual, declared, false) else { return false };
        // An argument of the type anyarray itself (a column of pg_statistic) fits for now.
        let opaque_array = bindings.array == oid::ANYARRAY;
        (opaque_array || self.settle_family_1(&mut bindings, false, false).is_ok())
            && self.settle_family_2(&mut bindings).is_ok()
    }

    /// The concrete parameter types and result type of a call whose arguments have these types
    /// (`enforce_generic_type_consistency`).
    ///
    /// # Errors
    ///
    /// 42804 when the arguments do not agree, 42704 when a type that is needed does not exist.
    pub fn resolve_polymorphic(&self, actual: &[Oid], declared: &[Oid], result: Oid) -> Result<(Vec<Oid>, Oid)> {
        let mut bindings = self.collect(actual, declared, true)?;
        if bindings.family_1 > 0 {
            self.settle_family_1(&mut bindings, true, is_polymorphic_family_1(result))?;
        }
        self.settle_family_2(&mut bindings)?;
        if bindings.compatible_array {
            self.array_type_or_error(bindings.compatible_type)?;
        }
        let concrete = |(&actual, &declared): (&Oid, &Oid)| {
            if !is_polymorphic(declared) {
                return Ok(declared);
            }
            if is_polymorphic_family_1(declared) && actual != oid::UNKNOWN {
                let flattened = !matches!(declared, oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM);
                return Ok(if flattened { self.base_type(actual) } else { actual });
            }
            self.substitute(&bindings, declared)
        };
        let types = actual.iter().zip(declared).map(concrete).collect::<Result<Vec<Oid>>>()?;
        let no_arguments = bindings.family_1 + bindings.family_2 == 0;
        let result = if no_arguments || !is_polymorphic(result) { result } else { self.substitute(&bindings, result)? };
        Ok((types, result))
    }

    /// Looks at each argument by itself.
    fn collect(&self, actual: &[Oid], declared: &[Oid], strict: bool) -> Result<Bindings> {
        let mut bindings = Bindings::default();
        let alike = |name: &str, before: Oid, now: Oid| {
            mismatch(format!("arguments declared \"{name}\" are not all alike")).with_detail(format!(
                "{} versus {}",
                self.format_type(before),
                self.format_type(now)
            ))
        };
        for (&actual, &declared) in actual.iter().zip(declared) {
            match declared {
                oid::ANYNONARRAY => bindings.must_be_scalar = true,
                oid::ANYENUM => bindings.must_be_enum = true,
                oid::ANYCOMPATIBLENONARRAY => bindings.compatible_scalar = true,
                oid::ANYCOMPATIBLEARRAY => bindings.compatible_array = true,
                _ => {}
            }
            bindings.family_1 += usize::from(is_polymorphic_family_1(declared));
            bindings.family_2 += usize::from(is_polymorphic_family_2(declared));
            if actual == oid::UNKNOWN || !is_polymorphic(declared) {
                continue;
            }
            let base = self.base_type(actual);
            match declared {
                oid::ANYARRAY => bind(&mut bindings.array, base).map_err(|old| alike("anyarray", old, base))?,
                oid::ANYRANGE => bind(&mut bindings.range, base).map_err(|old| alike("anyrange", old, base))?,
                pseudo::ANYMULTIRANGE => {
                    bind(&mut bindings.multirange, base).map_err(|old| alike("anymultirange", old, base))?;
                }
                oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => bindings.compatible.push(actual),
                oid::ANYCOMPATIBLEARRAY => {
                    let element = self.element_type(base);
                    bindings
                        .compatible
                        .push(element.ok_or_else(|| self.not_a("anycompatiblearray", "an array", base))?);
                }
                oid::ANYCOMPATIBLERANGE => {
                    bind(&mut bindings.compatible_range, base).map_err(|old| alike("anycompatiblerange", old, base))?;
                    let subtype = self.range_subtype(base);
                    let subtype = subtype.ok_or_else(|| self.not_a("anycompatiblerange", "a range type", base))?;
                    bindings.compatible.push(subtype);
                }
                pseudo::ANYCOMPATIBLEMULTIRANGE => {
                    bind(&mut bindings.compatible_multirange, base)
                        .map_err(|old| alike("anycompatiblemultirange", old, base))?;
                    let range = self.multirange_range(base);
                    let range =
                        range.ok_or_else(|| self.not_a("anycompatiblemultirange", "a multirange type", base))?;
                    if !strict || bindings.compatible_range.is_none() {
                        bind(&mut bindings.compatible_range, range)
                            .map_err(|old| alike("anycompatiblerange", old, range))?;
                    }
                    bindings.compatible.extend(self.range_subtype(range));
                }
                _ => bind(&mut bindings.element, actual).map_err(|old| alike("anyelement", old, actual))?,
            }
        }
        Ok(bindings)
    }

    /// Deduces element, array, range and multirange from one another. `complete`: an element type must come out.
    fn settle_family_1(&self, bindings: &mut Bindings, complete: bool, polymorphic_result: bool) -> Result<()> {
        if bindings.array == oid::ANYARRAY {
            if bindings.family_1 != 1 || polymorphic_result {
                return Err(mismatch("cannot determine element type of \"anyarray\" argument".to_owned()));
            }
            return Ok(());
        }
        if !bindings.array.is_none() {
            let element =
                self.element_type(bindings.array).ok_or_else(|| self.not_a("anyarray", "an array", bindings.array))?;
            bind(&mut bindings.element, element)
                .map_err(|old| self.inconsistent("anyarray", "anyelement", bindings.array, old))?;
        }
        if !bindings.multirange.is_none() {
            let range = self.multirange_range(bindings.multirange);
            let range = range.ok_or_else(|| self.not_a("anymultirange", "a multirange type", bindings.multirange))?;
            bind(&mut bindings.range, range)
                .map_err(|old| self.inconsistent("anymultirange", "anyrange", bindings.multirange, old))?;
        }
        if !bindings.range.is_none() {
            let subtype = self.range_subtype(bindings.range);
            let subtype = subtype.ok_or_else(|| self.not_a("anyrange", "a range type", bindings.range))?;
            bind(&mut bindings.element, subtype)
                .map_err(|old| self.inconsistent("anyrange", "anyelement", bindings.range, old))?;
        }
        if bindings.element.is_none() {
            if complete {
                let message = "could not determine polymorphic type because input has type unknown";
                return Err(mismatch(message.to_owned()));
            }
            // Nothing known fits any parameter, except one that wants an enum.
            return if bindings.must_be_enum { Err(mismatch("no enum".to_owned())) } else { Ok(()) };
        }
        if bindings.must_be_scalar && self.is_array_or_domain_over(bindings.element) {
            let element = self.format_type(bindings.element);
            return Err(mismatch(format!("type matched to anynonarray is an array type: {element}")));
        }
        if bindings.must_be_enum && !self.is_enum(bindings.element) {
            let element = self.format_type(bindings.element);
            return Err(mismatch(format!("type matched to anyenum is not an enum type: {element}")));
        }
        Ok(())
    }

    /// Finds the second family's common type.
    fn settle_family_2(&self, bindings: &mut Bindings) -> Result<()> {
        if bindings.family_2 == 0 || bindings.compatible.is_empty() {
            bindings.compatible_type = oid::TEXT;
            return Ok(());
        }
        let none = || mismatch("arguments of anycompatible family cannot be cast to a common type".to_owned());
        let common = self.common_type(&bindings.compatible).map_err(|_| none())?;
        if !self.common_type_works(common, &bindings.compatible) {
            return Err(none());
        }
        bindings.compatible_type = common;
        if let Some(subtype) = self.range_subtype(bindings.compatible_range)
            && subtype != common
        {
            let (range, common) = (self.format_type(bindings.compatible_range), self.format_type(common));
            return Err(mismatch(format!(
                "anycompatiblerange type {range} does not match anycompatible type {common}"
            )));
        }
        if bindings.compatible_scalar && self.is_array_or_domain_over(common) {
            let common = self.format_type(common);
            return Err(mismatch(format!("type matched to anycompatiblenonarray is an array type: {common}")));
        }
        Ok(())
    }

    /// The concrete type that a polymorphic one stands for.
    fn substitute(&self, bindings: &Bindings, polymorphic: Oid) -> Result<Oid> {
        let known = |found: Option<Oid>, name: &str| {
            found.filter(|oid| !oid.is_none()).ok_or_else(|| {
                mismatch(format!("could not determine polymorphic type {name} because input has type unknown"))
            })
        };
        match polymorphic {
            oid::ANYELEMENT | oid::ANYNONARRAY | oid::ANYENUM => Ok(bindings.element),
            oid::ANYARRAY if bindings.array.is_none() => self.array_type_or_error(bindings.element),
            oid::ANYARRAY => Ok(bindings.array),
            oid::ANYRANGE => known(Some(bindings.range), "anyrange"),
            pseudo::ANYMULTIRANGE if bindings.multirange.is_none() => {
                known(self.range_multirange(bindings.range), "anymultirange")
            }
            pseudo::ANYMULTIRANGE => Ok(bindings.multirange),
            oid::ANYCOMPATIBLE | oid::ANYCOMPATIBLENONARRAY => Ok(bindings.compatible_type),
            oid::ANYCOMPATIBLEARRAY => self.array_type_or_error(bindings.compatible_type),
            oid::ANYCOMPATIBLERANGE => known(Some(bindings.compatible_range), "anycompatiblerange"),
            pseudo::ANYCOMPATIBLEMULTIRANGE if bindings.compatible_multirange.is_none() => {
                known(self.range_multirange(bindings.compatible_range), "anycompatiblemultirange")
            }
            pseudo::ANYCOMPATIBLEMULTIRANGE => Ok(bindings.compatible_multirange),
            other => Ok(other),
        }
    }

    fn not_a(&self, declared: &str, what: &str, actual: Oid) -> PgError {
        mismatch(format!("argument declared {declared} is not {what} but type {}", self.format_type(actual)))
    }

    fn inconsistent(&self, declared: &str, other: &str, one: Oid, two: Oid) -> PgError {
        PgError::new(
            SqlState::DATATYPE_MISMATCH,
            format!("argument declared {declared} is not consistent with argument declared {other}"),
        )
        .with_detail(format!("{} versus {}", self.format_type(one), self.format_type(two)))
    }
}
