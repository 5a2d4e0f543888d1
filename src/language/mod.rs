//! The text of runbooks: a YAML tree that knows its positions, interpolation and conditions. Knows no domain word.
