//! The reader's error: a problem on its way to its place.

use std::fmt;

use serde::de::{Expected, Unexpected};

use crate::error::{Code, Problem};
use crate::language::rejected::Rejected;

/// Why a value could not be read. Empty when the problem has been recorded already.
#[derive(Debug)]
pub struct Error(pub(super) Option<Box<Problem>>);

impl Error {
    pub(super) const REPORTED: Error = Error(None);

    fn new(code: Code, message: String) -> Error {
        Error(Some(Box::new(Problem::error(code, message))))
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Error {
        Error(Some(Box::new(problem)))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(problem) => f.write_str(&problem.message),
            None => f.write_str("the value has problems that were recorded"),
        }
    }
}

impl std::error::Error for Error {}

impl serde::de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Error {
        let (code, message, help) = Rejected::from_serde(&message.to_string());
        let problem = Problem::error(code, message);
        match help {
            Some(help) => problem.help(help),
            None => problem,
        }
        .into()
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::new(Code::WrongType, format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Error {
        Error::new(Code::BadValue, format!("expected {expected}, found {found}"))
    }

    fn invalid_length(found: usize, expected: &dyn Expected) -> Error {
        Error::new(Code::WrongType, format!("expected {expected}, found {found} items"))
    }

    fn missing_field(field: &'static str) -> Error {
        Problem::error(Code::MissingKey, format!("`{field}` is missing"))
            .help(format!("add `{field}: …`"))
            .into()
    }

    fn duplicate_field(field: &'static str) -> Error {
        Error::new(Code::DuplicateKey, format!("`{field}` is given twice"))
    }
}
