//! A runbook that a test writes itself, with the inventory that is shipped.

use crate::error::{Problems, Sources};
use crate::plan::{Drill, Mode, Plan, Request, TableOfKinds, build};
use crate::runbook::{Loaded, Runbook, open_inventory, open_runbook};
use std::collections::BTreeMap;
use std::path::Path;

/// A runbook of these steps, read.
pub(super) struct Own {
    runbook: Runbook,
    inventory: Loaded,
    parameters: BTreeMap<String, String>,
    pub(super) sources: Sources,
}

impl Own {
    pub(super) fn of(steps: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("own.yaml");
        std::fs::write(&path, format!("mrctl: 1\nname: own\ntitle: Own\nsteps:\n{steps}")).unwrap();
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("runbooks/mrctl.yaml");
        let (mut sources, mut problems) = (Sources::new(), Problems::new());
        let inventory = open_inventory(&shipped, None, &mut sources, &mut problems).unwrap();
        let runbook = open_runbook(&path, Some(&inventory), &TableOfKinds, &mut sources, &mut problems);
        let text = || crate::error::render::text(&problems, &sources, false, 100);
        let runbook = runbook.unwrap_or_else(|| panic!("{}", text()));
        Self { runbook, inventory, parameters: BTreeMap::new(), sources }
    }

    pub(super) fn request(&self) -> Request<'_> {
        Request {
            runbook: &self.runbook,
            runbook_sha256: String::new(),
            inventory: &self.inventory,
            inventory_sha256: String::new(),
            from: "eu-west",
            to: "us-east",
            mode: Mode::Planned,
            drill: Drill::Real,
            parameters: &self.parameters,
        }
    }

    pub(super) fn plan(&self) -> Plan {
        let mut problems = Problems::new();
        let plan = build(&self.request(), &mut problems);
        plan.unwrap_or_else(|| panic!("{}", crate::error::render::text(&problems, &self.sources, false, 100)))
    }
}
