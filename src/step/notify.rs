//! `notify`: tells people. A message that does not arrive must not stop anything.

use crate::error::{Code, Problem};
use crate::journal::Permit;
use crate::step::contract::{
    Aim, Class, Effect, Judgement, Kind, KindInfo, Main, Pace, Part, Place, Sight, Unplanned,
};
use crate::step::dns::missing;
use crate::step::scope::Scope;
use crate::world::postgres::Handover;
use crate::world::{Answer, Reply, World, ready};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Tells people.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Notify")]
pub struct Params {
    /// What to tell.
    pub text: String,
    /// The channel's name in the inventory; the default channel if not given.
    #[serde(default)]
    pub channel: Option<String>,
}

/// A resolved message.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Notify {
    channel: String,
    text: String,
}

/// Nothing can be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Facts {}

impl Kind for Notify {
    type Params = Params;
    type Facts = Facts;

    const INFO: KindInfo = KindInfo {
        name: "notify",
        summary: "Sends a message to a channel. It is sent at least once, and never stops a run.",
        changes: true,
        touches: "a channel of the inventory",
        undo: "nothing to put back: a message cannot be unsent",
        grants: &[],
        main: Main::Field("text"),
        place: Place::Nowhere,
        version: 1,
        part: Part::Other,
        unplanned: Unplanned::Done,
    };

    fn resolve(params: Params, scope: &Scope<'_>) -> Result<Self, Problem> {
        if params.text.trim().is_empty() {
            return Err(Problem::error(Code::BadValue, "a message needs a text"));
        }
        let name = params.channel.unwrap_or_default();
        match scope.directory.channel(&name) {
            Some(channel) => Ok(Self { channel, text: params.text }),
            None if name.is_empty() => {
                Err(Problem::error(Code::BadValue, "the inventory has no default channel")
                    .help("give `channel`, or mark one channel of the inventory with `default: true`"))
            }
            None => Err(missing(scope, "channels", "channel", &name)),
        }
    }

    fn title(&self) -> String {
        format!("Tell {}", self.channel)
    }

    fn effects(&self) -> Vec<Effect> {
        vec![Effect::of("send", Class::ForwardOnly, Pace::new(5_000, 1_000)).accept_found().harmless_again()]
    }

    fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
        Self { text: fill(&self.text), ..self.clone() }
    }

    fn resources(&self) -> Vec<String> {
        Vec::new()
    }

    fn best_effort(&self) -> bool {
        true
    }

    fn observe<'a>(&'a self, _effect: &'a str, _sight: Sight<'a>) -> Answer<'a, Facts> {
        ready(Facts {})
    }

    fn judge(
        &self,
        _effect: &str,
        _facts: &Facts,
        _aim: Aim<'_, Facts>,
        _handover: Option<&Handover>,
    ) -> Judgement {
        Judgement::not_reached("not sent by this run")
    }

    fn apply<'a>(
        &'a self,
        _effect: &'a str,
        permit: &'a Permit,
        _prior: &'a Facts,
        _handover: Option<&'a Handover>,
        _cursor: &'a str,
        world: &'a World,
    ) -> Answer<'a, Reply> {
        world.notify.send(permit, &self.channel, &self.text)
    }

    fn would(&self, _effect: &str, _facts: &Facts, _world: &World) -> Vec<String> {
        vec![format!("to {}: {}", self.channel, self.text)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Standing;
    use crate::step::testing::{at_once, permit};
    use crate::world::sim::{Fault, two_regions};

    fn notify() -> Notify {
        Notify { channel: "ops".into(), text: "Orders serves from us-east".into() }
    }

    #[test]
    fn nothing_can_be_seen_of_a_message() {
        let judged = notify().judge("send", &Facts {}, Aim::Applied, None);
        assert_eq!(judged.standing, Standing::NotReached);
        assert!(notify().best_effort());
    }

    #[test]
    fn one_poll_sends_and_a_second_copy_has_the_same_key() {
        let sim = two_regions();
        let world = sim.world();
        let send = || at_once(notify().apply("send", &permit(false), &Facts {}, None, "", &world));
        sim.notify.faults.push(Fault::LostApplied);
        assert!(matches!(send(), Reply::Lost { .. }));
        assert!(matches!(send(), Reply::Acknowledged { .. }));
        let sent = sim.notify.sent();
        assert_eq!((sent.len(), &sent[0].key), (2, &sent[1].key));
        assert_eq!(notify().would("send", &Facts {}, &world), ["to ops: Orders serves from us-east"]);
    }
}
