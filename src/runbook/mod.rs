//! Runbook and inventory: model, check, schema.
