//! Files of the store: each is whole or not there.

use super::{StoreError, io};
use crate::journal::calls::{Calls, System};
use crate::plan::{FORMAT, Plan};
use std::fs;
use std::path::Path;

pub(super) fn read_plan(path: &Path) -> Result<Plan, StoreError> {
    let text = fs::read_to_string(path).map_err(io(path))?;
    let bad = |why: String| StoreError::Plan { path: path.into(), why };
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| bad(error.to_string()))?;
    let format = value.get("format").and_then(serde_json::Value::as_u64).unwrap_or(0);
    if format != u64::from(FORMAT) {
        return Err(bad(format!("it has format {format}, this version of mrctl reads {FORMAT}")));
    }
    serde_json::from_value(value).map_err(|error| bad(error.to_string()))
}

pub(super) fn write_durably(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write_by(&System, path, bytes)
}

pub(super) fn write_by(calls: &dyn Calls, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = path.with_extension("new");
    let file = calls.create(&temporary).map_err(io(&temporary))?;
    calls.write(&file, 0, bytes).and_then(|()| calls.sync(&file)).map_err(io(&temporary))?;
    calls.rename(&temporary, path).map_err(io(path))?;
    sync_by(calls, path)
}

/// A name is on disk only when its folder is.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    sync_by(&System, path)
}

pub(super) fn sync_by(calls: &dyn Calls, path: &Path) -> Result<(), StoreError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    calls.sync_folder(folder).map_err(io(folder))
}
