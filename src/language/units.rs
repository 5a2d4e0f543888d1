//! Units.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub struct Period(u64);
impl Period {
    pub const fn millis(self) -> u64 {
        self.0
    }
}
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub struct Share(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub struct Size(u64);
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize, JsonSchema)]
pub struct Rate(u64);
impl Size {
    pub const fn bytes(self) -> u64 {
        self.0
    }
}
impl Share {
    pub const fn from_basis_points(points: u16) -> Self {
        Self(points as u64)
    }
    pub fn basis_points(self) -> u32 {
        self.0 as u32
    }
}
