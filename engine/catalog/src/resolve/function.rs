//! Which function a call means.

use helios_types::{Oid, PgError, Result, SqlState, oid};

use super::select::Candidate;
use super::types::CATEGORY_STRING;
use super::{CoercionContext, Lookup, Pathway, mismatch};
use crate::facts::{self, Proc, TypeKind};

/// A function's name as written.
#[derive(Clone, Copy, Debug)]
pub struct FunctionName<'n> {
    /// The schema, when there was one.
    pub schema: Option<&'n str>,
    /// The name.
    pub name: &'n str,
}

impl std::fmt::Display for FunctionName<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(self.name),
        }
    }
}

/// The arguments of a call as written.
#[derive(Clone, Copy, Debug, Default)]
pub struct CallArguments<'n> {
    /// Their types; `unknown` for literals.
    pub types: &'n [Oid],
    /// The names of the last so many arguments (`name => value`).
    pub names: &'n [&'n str],
    /// Whether the last argument was marked VARIADIC.
    pub variadic: bool,
}

/// What a call turned out to mean.
#[derive(Clone, Debug)]
pub enum FunctionDetail {
    /// A call of a function, aggregate, window function or procedure.
    Call(FunctionCall),
    /// A cast that looks like a call: `int8(x)`, `text('a')`. The target type.
    Coercion(Oid),
    /// Several functions fit equally well.
    Ambiguous,
    /// None fits.
    NotFound,
}

/// A resolved call.
#[derive(Clone, Debug)]
pub struct FunctionCall {
    /// What is called.
    pub proc: &'static Proc,
    /// The arguments in the order of parameters, with the types they are to be coerced to. The elements of a VARIADIC
    /// parameter stand one by one at the end.
    pub arguments: Vec<Argument>,
    /// How many of the last arguments are gathered into an array, and the array's type. Not for VARIADIC "any".
    pub gathered: Option<(usize, Oid)>,
    /// Type of the result, made concrete.
    pub result: Oid,
}

/// An argument of a resolved call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Where it comes from.
    pub source: ArgumentSource,
    /// The type it is to be coerced to.
    pub type_oid: Oid,
}

/// Where an argument of a resolved call comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgumentSource {
    /// The call's argument with this index.
    Given(usize),
    /// The parameter's default, as SQL text.
    Default(&'static str),
}

/// A function that has the right name and takes this many arguments.
struct FunctionCandidate {
    proc: &'static Proc,
    /// Parameter types in the order of the call's arguments, then those that take their defaults.
    parameters: Vec<Oid>,
    /// For calls with named arguments, the parameter that each of `parameters` is.
    numbers: Option<Vec<usize>>,
    /// How many arguments a VARIADIC parameter takes; 0 when it is not expanded.
    variadic_count: usize,
    /// How many parameters take their defaults.
    default_count: usize,
    path_position: usize,
    /// Another one has the same parameters.
    ambiguous: bool,
}

impl Candidate for FunctionCandidate {
    fn parameters(&self) -> &[Oid] {
        &self.parameters
    }
}

impl Lookup<'_> {
    /// The function that a call means.
    ///
    /// # Errors
    ///
    /// 42883 `function foo(integer) does not exist` and 42725 `function foo(unknown) is not unique` with PostgreSQL's
    /// hints, 3F000 when the schema does not exist, 42804 when polymorphic arguments disagree.
    pub fn function(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> Result<FunctionDetail> {
        match self.function_detail(name, arguments)? {
            FunctionDetail::NotFound => Err(self.function_not_found(name, arguments)),
            FunctionDetail::Ambiguous => Err(self.function_ambiguous(name, arguments)),
            found => Ok(found),
        }
    }

    /// As [`Lookup::function`], telling "none" and "several" apart from errors (`func_get_detail`).
    ///
    /// # Errors
    ///
    /// 3F000 when the schema does not exist, 42804 when polymorphic arguments disagree.
    pub fn function_detail(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> Result<FunctionDetail> {
        let inputs = arguments.types;
        let mut candidates = self.function_candidates(name, arguments)?;
        let exact = |candidate: &FunctionCandidate| candidate.parameters[..inputs.len()] == *inputs;
        let best = if let Some(index) = candidates.iter().position(exact) {
            candidates.swap_remove(index)
        } else {
            if let Some(target) = self.call_as_cast(name, arguments)? {
                return Ok(FunctionDetail::Coercion(target));
            }
            let mut matching = self.matching(inputs, candidates);
            match matching.len() {
                0 => return Ok(FunctionDetail::NotFound),
                1 => matching.remove(0),
                _ => match self.select_candidate(inputs, matching) {
                    Some(best) => best,
                    None => return Ok(FunctionDetail::Ambiguous),
                },
            }
        };
        if best.ambiguous {
            return Ok(FunctionDetail::Ambiguous);
        }
        if let (Some(numbers), true, Some(last)) = (&best.numbers, arguments.variadic, inputs.len().checked_sub(1))
            && numbers[last] != last
        {
            return Ok(FunctionDetail::NotFound);
        }
        self.function_call(best, arguments).map(FunctionDetail::Call)
    }

    /// 42883, with the hint for a function.
    pub fn function_not_found(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> PgError {
        let message = format!("function {} does not exist", self.function_signature(name, arguments));
        PgError::new(SqlState::UNDEFINED_FUNCTION, message).with_hint(
            "No function matches the given name and argument types. You might need to add explicit type casts.",
        )
    }

    /// 42725, with the hint for a function.
    pub fn function_ambiguous(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> PgError {
        let message = format!("function {} is not unique", self.function_signature(name, arguments));
        PgError::new(SqlState::AMBIGUOUS_FUNCTION, message)
            .with_hint("Could not choose a best candidate function. You might need to add explicit type casts.")
    }

    /// `foo(integer, b => text)`.
    pub fn function_signature(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> String {
        let positional = arguments.types.len() - arguments.names.len();
        let argument = |(index, &type_oid): (usize, &Oid)| match index.checked_sub(positional) {
            Some(named) => format!("{} => {}", arguments.names[named], self.format_type(type_oid)),
            None => self.format_type(type_oid),
        };
        let list: Vec<String> = arguments.types.iter().enumerate().map(argument).collect();
        format!("{name}({})", list.join(", "))
    }

    /// `FuncnameGetCandidates`: what is visible under the name and takes this many arguments.
    fn function_candidates(
        &self,
        name: FunctionName<'_>,
        arguments: CallArguments<'_>,
    ) -> Result<Vec<FunctionCandidate>> {
        let only_schema = name.schema.map(|schema| self.catalog.lookup_schema(schema)).transpose()?;
        let given = arguments.types.len();
        let mut found: Vec<FunctionCandidate> = Vec::new();
        for proc in facts::procs().by_name(name.name) {
            let path_position = match only_schema {
                Some(schema) => (proc.namespace == schema).then_some(0),
                None => self.search_path.iter().position(|&schema| schema == proc.namespace),
            };
            let (Some(path_position), Some(mut candidate)) = (path_position, candidate(proc, arguments)) else {
                continue;
            };
            candidate.path_position = path_position;
            let twin = found.iter().position(|other| other.parameters[..given] == candidate.parameters[..given]);
            let Some(twin) = twin else {
                found.push(candidate);
                continue;
            };
            let old = &mut found[twin];
            let expanded = (candidate.variadic_count > 0, old.variadic_count > 0);
            match path_position.cmp(&old.path_position) {
                std::cmp::Ordering::Less => *old = candidate,
                std::cmp::Ordering::Greater => {}
                std::cmp::Ordering::Equal if expanded == (false, true) => *old = candidate,
                std::cmp::Ordering::Equal if expanded == (true, false) => {}
                std::cmp::Ordering::Equal => old.ambiguous = true,
            }
        }
        Ok(found)
    }

    /// Whether `name(x)` is a cast: the name is a type's and the conversion is one that no function does.
    fn call_as_cast(&self, name: FunctionName<'_>, arguments: CallArguments<'_>) -> Result<Option<Oid>> {
        let ([source], []) = (arguments.types, arguments.names) else { return Ok(None) };
        let Some(target) = self.type_by_name(name.schema, name.name)? else { return Ok(None) };
        if !target.defined || target.kind == TypeKind::Composite {
            return Ok(None);
        }
        let is_cast = *source == oid::UNKNOWN
            || match self.coercion_pathway(*source, target.oid, CoercionContext::Explicit) {
                Some(Pathway::Relabel) => true,
                // A row becomes text by a function of its own (or a column of that name), not by its looks.
                Some(Pathway::ViaIo) => {
                    let row = *source == oid::RECORD || self.is_complex(*source);
                    !(row && target.category == CATEGORY_STRING)
                }
                Some(Pathway::Function(_) | Pathway::ArrayCoerce) | None => false,
            };
        Ok(is_cast.then_some(target.oid))
    }

    fn function_call(&self, best: FunctionCandidate, arguments: CallArguments<'_>) -> Result<FunctionCall> {
        let FunctionCandidate { proc, parameters, numbers, variadic_count, default_count, .. } = best;
        let given = arguments.types.len();
        let mut actual = arguments.types.to_vec();
        actual.extend_from_slice(&parameters[given..]);
        let (types, result) = self.resolve_polymorphic(&actual, &parameters, proc.result)?;

        if proc.variadic == oid::ANY && arguments.variadic {
            let last = arguments.types.last().copied().unwrap_or(Oid::NONE);
            if !self.is_array_or_domain_over(last) {
                return Err(mismatch("VARIADIC argument must be an array".to_owned()));
            }
        }
        let gathered = if variadic_count > 0 && proc.variadic != oid::ANY {
            let element = types[types.len() - variadic_count];
            Some((variadic_count, self.array_type_or_error(element)?))
        } else {
            None
        };

        // Defaults belong to the last parameters, whichever of those were left out.
        let first_default = usize::from(proc.arg_count) - usize::from(proc.default_count);
        let source = |index: usize| {
            let parameter = numbers.as_ref().map_or(index, |numbers| numbers[index]);
            let source = if index < given {
                ArgumentSource::Given(index)
            } else {
                ArgumentSource::Default(proc.defaults[parameter - first_default])
            };
            (parameter, Argument { source, type_oid: types[index] })
        };
        debug_assert!(default_count == types.len() - given);
        let mut placed: Vec<(usize, Argument)> = (0..types.len()).map(source).collect();
        placed.sort_by_key(|&(parameter, _)| parameter);
        Ok(FunctionCall {
            proc,
            arguments: placed.into_iter().map(|(_, argument)| argument).collect(),
            gathered,
            result,
        })
    }
}

/// The function as a candidate for a call with these arguments; `None` when it takes another number of them.
fn candidate(proc: &'static Proc, arguments: CallArguments<'_>) -> Option<FunctionCandidate> {
    let given = arguments.types.len();
    let declared = usize::from(proc.arg_count);
    let blank = FunctionCandidate {
        proc,
        parameters: proc.arg_types.to_vec(),
        numbers: None,
        variadic_count: 0,
        default_count: declared.saturating_sub(given),
        path_position: 0,
        ambiguous: false,
    };
    if !arguments.names.is_empty() {
        // A VARIADIC parameter is named only together with the word VARIADIC.
        if (!proc.variadic.is_none() && !arguments.variadic) || given > declared {
            return None;
        }
        let numbers = match_names(proc, given, arguments.names)?;
        let parameters = numbers.iter().map(|&parameter| proc.arg_types[parameter]).collect();
        return Some(FunctionCandidate { parameters, numbers: Some(numbers), ..blank });
    }
    if given < declared {
        return (given + usize::from(proc.default_count) >= declared).then_some(blank);
    }
    if !proc.variadic.is_none() && !arguments.variadic {
        let variadic_count = given - declared + 1;
        let mut parameters = proc.arg_types[..declared - 1].to_vec();
        parameters.resize(given, proc.variadic);
        return Some(FunctionCandidate { parameters, variadic_count, ..blank });
    }
    (given == declared).then_some(blank)
}

/// `MatchNamedCall`: the parameter of each argument, then the parameters that take their defaults.
fn match_names(proc: &Proc, given: usize, names: &[&str]) -> Option<Vec<usize>> {
    let parameter_names = proc.arg_names.as_ref().map(|_| proc.input_names())?;
    let positional = given - names.len();
    let mut numbers: Vec<usize> = (0..positional).collect();
    for name in names {
        let parameter = parameter_names.iter().position(|parameter| *parameter == Some(name))?;
        if numbers.contains(&parameter) {
            return None;
        }
        numbers.push(parameter);
    }
    let first_default = usize::from(proc.arg_count) - usize::from(proc.default_count);
    for parameter in positional..usize::from(proc.arg_count) {
        if !numbers.contains(&parameter) {
            if parameter < first_default {
                return None;
            }
            numbers.push(parameter);
        }
    }
    Some(numbers)
}
