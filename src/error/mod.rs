//! Errors that a person reads: codes, snippets, suggestions.
