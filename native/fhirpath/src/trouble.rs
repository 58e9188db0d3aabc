//! Why an expression has no answer here. That is never the same as "invalid".

use std::fmt;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// A function or an operation on these types that is not evaluated here.
    Unsupported,
    /// Several items where the language wants one.
    Many,
    /// Operands that the operator or function does not take.
    Types,
    /// A number or a date beyond what can be calculated with, or not written as one.
    Range,
    /// What a reference refers to is not at hand.
    Unresolved,
    /// The value set or profile is not at hand.
    Terminology,
    /// A regular expression that is not understood.
    Pattern,
    /// It would take too long.
    Work,
}

impl Trouble {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Unsupported => "it uses what is not evaluated here",
            Self::Many => "it finds several values where one is wanted",
            Self::Types => "it compares or calculates with types that do not go together",
            Self::Range => "a number or date cannot be calculated with",
            Self::Unresolved => "what a reference refers to is not at hand",
            Self::Terminology => "a value set or profile is not at hand",
            Self::Pattern => "its regular expression is not understood",
            Self::Work => "it would take too long",
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Trouble {}
