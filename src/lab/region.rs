//! The two regions. Every service uses the same port in both: only the address differs, as with real machines.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

/// One of the lab's regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Region {
    /// `eu-west`, where the primary starts.
    #[serde(rename = "eu-west")]
    EuWest,
    /// `us-east`, where the standby starts.
    #[serde(rename = "us-east")]
    UsEast,
}

impl Region {
    /// Both, the initial primary first.
    pub const ALL: [Self; 2] = [Self::EuWest, Self::UsEast];

    /// The name in the inventory.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EuWest => "eu-west",
            Self::UsEast => "us-east",
        }
    }

    /// The title that people read.
    pub const fn title(self) -> &'static str {
        match self {
            Self::EuWest => "Ireland",
            Self::UsEast => "Virginia",
        }
    }

    /// The name where dashes are not allowed: replication slots, `application_name`.
    pub const fn slot(self) -> &'static str {
        match self {
            Self::EuWest => "eu_west",
            Self::UsEast => "us_east",
        }
    }

    /// The loopback address that stands for the region. Linux answers on all of 127.0.0.0/8 without configuration.
    pub const fn address(self) -> Ipv4Addr {
        match self {
            Self::EuWest => Ipv4Addr::new(127, 0, 0, 11),
            Self::UsEast => Ipv4Addr::new(127, 0, 0, 12),
        }
    }

    /// The other one.
    pub const fn other(self) -> Self {
        match self {
            Self::EuWest => Self::UsEast,
            Self::UsEast => Self::EuWest,
        }
    }

    /// The region with this address.
    pub fn at(address: Ipv4Addr) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.address() == address)
    }
}

impl std::fmt::Display for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Region {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|region| region.name() == text)
            .ok_or_else(|| format!("the lab's regions are eu-west and us-east, not {text:?}"))
    }
}
