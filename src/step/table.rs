//! The one table of kinds. A new kind is one file, one `mod` line and one line here.

use super::contract::{Aim, Effect, Judgement, Kind, KindInfo, Main, Question, Sight, Standing};
use super::scope::Scope;
use crate::error::Problems;
use crate::journal::Permit;
use crate::language::read;
use crate::language::tree::{Key, Node, Value};
use crate::world::plausible::Sighting;
use crate::world::postgres::Handover;
use crate::world::{Answer, Reply, World};
use serde::{Deserialize, Serialize};
use std::hash::{Hash, Hasher};

/// Makes the enums of actions and facts and everything that is told apart by kind.
macro_rules! step_kinds {
    ($($variant:ident = $kind:ty;)*) => {
        /// One resolved action of any kind.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(clippy::large_enum_variant, reason = "plans hold a few dozen of them")]
        pub enum Action {
            $(#[doc = "See the kind's own page."] $variant($kind),)*
        }

        /// What one look of any kind saw.
        #[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[allow(clippy::large_enum_variant, reason = "a run holds a few dozen of them")]
        pub enum Facts {
            $(#[doc = "See the kind's own page."] $variant(<$kind as Kind>::Facts),)*
        }

        /// All kinds, in the order of docs and schema.
        pub const KINDS: &[KindInfo] = &[$(<$kind as Kind>::INFO,)*];

        /// The JSON Schema of each kind's parameters, in the order of [`KINDS`].
        pub fn schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
            vec![$((<$kind as Kind>::INFO.name, generator.subschema_for::<<$kind as Kind>::Params>()),)*]
        }

        /// Reads the parameters of a kind and resolves them for each scope. Problems are added; a partial result is for `check`.
        fn resolve_one(kind: &str, node: &Node, scope: &Scope<'_>, problems: &mut Problems) -> Option<Action> {
            $(if kind == <$kind as Kind>::INFO.name {
                let params = read::from_node::<<$kind as Kind>::Params>(node, problems)?;
                return match <$kind as Kind>::resolve(params, scope) {
                    Ok(action) => Some(Action::$variant(action)),
                    Err(mut problem) => {
                        problem.span = problem.span.or(Some(node.span));
                        problems.push(problem);
                        None
                    }
                };
            })*
            None
        }

        impl Action {
            /// What the table says of its kind.
            pub fn info(&self) -> &'static KindInfo {
                match self { $(Self::$variant(_) => const { &<$kind as Kind>::INFO },)* }
            }

            /// The kind's own sentence.
            pub fn title(&self) -> String {
                match self { $(Self::$variant(kind) => kind.title(),)* }
            }

            /// See [`Kind::effects`].
            pub fn effects(&self) -> Vec<Effect> {
                match self { $(Self::$variant(kind) => kind.effects(),)* }
            }

            /// See [`Kind::questions`].
            pub fn questions(&self) -> Vec<Question> {
                match self { $(Self::$variant(kind) => kind.questions(),)* }
            }

            /// See [`Kind::filled`].
            pub fn filled(&self, fill: &dyn Fn(&str) -> String) -> Self {
                match self { $(Self::$variant(kind) => Self::$variant(kind.filled(fill)),)* }
            }

            /// See [`Kind::resources`].
            pub fn resources(&self) -> Vec<String> {
                match self { $(Self::$variant(kind) => kind.resources(),)* }
            }

            /// See [`Kind::saved`].
            pub fn saved(&self, note: &str) -> Option<(String, String)> {
                match self { $(Self::$variant(kind) => kind.saved(note),)* }
            }

            /// See [`Kind::sends`].
            pub fn sends(&self) -> Vec<String> {
                match self { $(Self::$variant(kind) => kind.sends(),)* }
            }

            /// See [`Kind::best_effort`].
            pub fn best_effort(&self) -> bool {
                match self { $(Self::$variant(kind) => kind.best_effort(),)* }
            }

            /// See [`Kind::observe`].
            pub fn observe<'a>(&'a self, effect: &'a str, sight: Sight<'a>) -> Answer<'a, Facts> {
                match self {
                    $(Self::$variant(kind) => Box::pin(async move { Facts::$variant(kind.observe(effect, sight).await) }),)*
                }
            }

            /// See [`Kind::sightings`].
            pub fn sightings<'a>(&'a self, facts: &'a Facts) -> Vec<Sighting<'a>> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.sightings(facts),)*
                    _ => Vec::new(),
                }
            }

            /// What a look at the effect before saw, as facts of this effect, if it saw all that a look of its own would.
            pub fn seen_with(&self, effect: &Effect, last: &Self, seen: &Facts) -> Option<Facts> {
                if self == last {
                    return effect.seen_with_previous.then(|| seen.clone());
                }
                match self {
                    $(Self::$variant(kind) => kind.seen_with(last, seen).map(Facts::$variant),)*
                }
            }

            /// See [`Kind::judge`].
            pub fn judge(
                &self,
                effect: &str,
                facts: &Facts,
                aim: Aim<'_, Facts>,
                handover: Option<&Handover>,
            ) -> Judgement {
                match (self, facts, aim) {
                    $((Self::$variant(kind), Facts::$variant(facts), Aim::Applied) => {
                        kind.judge(effect, facts, Aim::Applied, handover)
                    }
                    (Self::$variant(kind), Facts::$variant(facts), Aim::Restored(Facts::$variant(prior))) => {
                        kind.judge(effect, facts, Aim::Restored(prior), handover)
                    })*
                    _ => Judgement::unknown("the facts are of another kind"),
                }
            }

            /// What facts mean that may show what was there already: see [`Kind::stale`].
            pub fn judge_found(&self, effect: &str, facts: &Facts, handover: Option<&Handover>) -> Judgement {
                let judged = self.judge(effect, facts, Aim::Applied, handover);
                let stale = match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.stale(effect, facts),)*
                    _ => None,
                };
                match stale {
                    Some(why) if judged.standing == Standing::Reached => Judgement::not_reached(why),
                    _ => judged,
                }
            }

            /// See [`Kind::disarmed`].
            pub fn disarmed(&self, effect: &str, facts: &Facts, handover: Option<&Handover>) -> Option<String> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.disarmed(effect, facts, handover),)*
                    _ => None,
                }
            }

            /// See [`Kind::proves`].
            pub fn proves(&self) -> Option<&'static str> {
                match self { $(Self::$variant(kind) => kind.proves(),)* }
            }

            /// See [`Kind::beyond_waiver`].
            pub fn beyond_waiver(&self, facts: &Facts) -> Option<String> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.beyond_waiver(facts),)*
                    _ => None,
                }
            }

            /// See [`Kind::apply`].
            pub fn apply<'a>(
                &'a self,
                effect: &'a str,
                permit: &'a Permit,
                prior: &'a Facts,
                handover: Option<&'a Handover>,
                cursor: &'a str,
                world: &'a World,
            ) -> Answer<'a, Reply> {
                match (self, prior) {
                    $((Self::$variant(kind), Facts::$variant(prior)) => {
                        kind.apply(effect, permit, prior, handover, cursor, world)
                    })*
                    _ => crate::world::ready(Reply::refused("the facts are of another kind")),
                }
            }

            /// See [`Kind::undo`].
            pub fn undo<'a>(
                &'a self,
                effect: &'a str,
                permit: &'a Permit,
                prior: &'a Facts,
                world: &'a World,
            ) -> Answer<'a, Reply> {
                match (self, prior) {
                    $((Self::$variant(kind), Facts::$variant(prior)) => kind.undo(effect, permit, prior, world),)*
                    _ => crate::world::ready(Reply::refused("the facts are of another kind")),
                }
            }

            /// See [`Kind::hash_prior`].
            pub fn hash_prior<H: Hasher>(&self, effect: &str, prior: &Facts, hasher: &mut H) {
                match (self, prior) {
                    $((Self::$variant(kind), Facts::$variant(prior)) => kind.hash_prior(effect, prior, hasher),)*
                    _ => prior.hash(hasher),
                }
            }

            /// See [`Kind::would`].
            pub fn would(&self, effect: &str, facts: &Facts, world: &World) -> Vec<String> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.would(effect, facts, world),)*
                    _ => Vec::new(),
                }
            }

            /// See [`Kind::substance`].
            pub fn substance(&self, effect: &str, facts: &Facts) -> String {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.substance(effect, facts),)*
                    _ => String::new(),
                }
            }

            /// See [`Kind::identity`].
            pub fn identity(&self, effect: &str, facts: &Facts) -> Vec<(String, String)> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.identity(effect, facts),)*
                    _ => Vec::new(),
                }
            }

            /// See [`Kind::by_hand`].
            pub fn by_hand(&self, effect: &str, facts: &Facts, world: &World) -> Vec<String> {
                match (self, facts) {
                    $((Self::$variant(kind), Facts::$variant(facts)) => kind.by_hand(effect, facts, world),)*
                    _ => Vec::new(),
                }
            }
        }
    };
}

step_kinds! {
    Checklist = super::checklist::Checklist;
    Wait = super::wait::Wait;
    PostgresPreflight = super::postgres::preflight::Preflight;
    PostgresCheckLag = super::postgres::check_lag::CheckLag;
    PostgresFreeze = super::postgres::freeze::Freeze;
    PostgresCatchUp = super::postgres::catch_up::CatchUp;
    PostgresFence = super::postgres::fence::Fence;
    PostgresPromote = super::postgres::promote::Promote;
    PostgresVerifyWritable = super::postgres::verify_writable::VerifyWritable;
    PostgresStop = super::postgres::stop::Stop;
    PostgresReprotect = super::postgres::reprotect::Reprotect;
    DnsTtl = super::dns::ttl::Ttl;
    DnsShift = super::dns::shift::Shift;
    DnsRestore = super::dns::restore::Restore;
    HttpCheck = super::http::check::Check;
    CacheWarm = super::cache::warm::Warm;
    Notify = super::notify::Notify;
    Exec = super::exec::Exec;
}

impl Action {
    /// The condition that it waits for, if it does.
    pub fn condition(&self) -> Option<&super::condition::Condition> {
        match self {
            Self::Wait(wait) => Some(wait.condition()),
            _ => None,
        }
    }
}

/// What the table knows of a kind.
pub fn info(kind: &str) -> Option<&'static KindInfo> {
    KINDS.iter().find(|info| info.name == kind)
}

/// Resolves a step's action for every resource that it names and every region that it acts in. The first of each pair is the
/// prefix that keeps effect names apart, empty when there is only one.
pub fn resolve(
    info: &KindInfo,
    body: &Node,
    regions: &[String],
    scope: &Scope<'_>,
    problems: &mut Problems,
) -> Vec<(String, Action)> {
    let bodies = bodies(info, body, scope);
    let several_bodies = bodies.len() > 1;
    let several_regions = regions.len() > 1;
    let mut actions = Vec::new();
    for (name, node) in &bodies {
        for region in regions {
            let scope = Scope { region, span: scope.span.or(Some(node.span)), ..*scope };
            if let Some(action) = resolve_one(info.name, node, &scope, problems) {
                let mut prefix = String::new();
                if several_bodies {
                    prefix.push_str(name);
                    prefix.push('/');
                }
                if several_regions {
                    prefix.push_str(region);
                    prefix.push('/');
                }
                actions.push((prefix, action));
            }
        }
    }
    actions
}

/// The long forms of a body: the short form is wrapped, lists and groups of resources become one body each.
fn bodies(info: &KindInfo, body: &Node, scope: &Scope<'_>) -> Vec<(String, Node)> {
    let wrap = |field: &str, node: &Node| Node {
        span: body.span,
        value: Value::Map(vec![(Key { name: field.to_string(), span: node.span }, node.clone())]),
    };
    match (info.main, &body.value) {
        (_, Value::Map(_) | Value::Refused) | (Main::None, _) => vec![(String::new(), body.clone())],
        (Main::Field(field), _) => vec![(String::new(), wrap(field, body))],
        (Main::Resource(field, _), Value::List(items)) => items
            .iter()
            .map(|item| (item.as_text().unwrap_or_default().to_string(), wrap(field, item)))
            .collect(),
        (Main::Resource(field, _), Value::Scalar { text, style }) => match scope.directory.group(text) {
            Some(members) => members
                .into_iter()
                .map(|member| {
                    let scalar = Node {
                        span: body.span,
                        value: Value::Scalar { text: member.clone(), style: *style },
                    };
                    (member, wrap(field, &scalar))
                })
                .collect(),
            None => vec![(text.clone(), wrap(field, body))],
        },
    }
}
