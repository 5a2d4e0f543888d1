//! Two real regions on one machine, for learning, demonstrations and tests.
