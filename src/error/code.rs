//! The table of error codes.
//!
//! A new code is one line here and one page `docs/errors/MRnnnn.md` whose first heading is `# MRnnnn: title`
//! (a missing page does not compile, a wrong heading fails a test). Codes are never reused or renumbered.
//!
//! Ranges: 00 files and YAML, 01 types and keys, 02 interpolation, 03 conditions, 04 runbook, 05 inventory, 06 plan,
//! 07 journal and locks, 08 world.

use std::fmt;
use std::str::FromStr;

macro_rules! codes {
    ($($number:ident $name:ident $title:literal, $remedy:literal;)*) => {
        /// A kind of problem, shown as `MRnnnn`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = concat!("`", stringify!($number), "`: ", $title, ".")] $name,)*
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The code as shown, such as `MR0014`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Code::$name => stringify!($number),)* }
            }

            /// The name of the variant, for search and statistics.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Code::$name => stringify!($name),)* }
            }

            /// One line: what is wrong.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }

            /// One line: what mends it. Shown when a problem brings no help of its own.
            #[must_use]
            pub const fn remedy(self) -> &'static str {
                match self { $(Code::$name => $remedy,)* }
            }

            /// The page shown by `mrctl explain`, in Markdown.
            #[must_use]
            pub const fn page(self) -> &'static str {
                match self {
                    $(Code::$name => include_str!(concat!("../../docs/errors/", stringify!($number), ".md")),)*
                }
            }
        }
    };
}

codes! {
    MR0001 FileNotFound "the file does not exist", "check the path";
    MR0002 NotAFile "this is not a regular file", "give the path of a regular file";
    MR0003 FileUnreadable "the file cannot be read", "check owner and permissions of the file and its folders";
    MR0004 FileTooLarge "the file is too large", "a runbook or inventory has at most 1 MiB; move generated lists elsewhere";
    MR0005 NotUtf8 "the file is not UTF-8 text", "save the file as UTF-8";
    MR0006 ControlCharacter "a control character is in the text", "remove the character";
    MR0007 InvisibleCharacter "an invisible character is in the text", "remove the character; it can make text look like something else";
    MR0008 Syntax "the YAML cannot be read", "check indentation, quotes and brackets at this place";
    MR0009 Tab "a tab is used as indentation", "indent with spaces";
    MR0010 Anchor "anchors are not part of the language", "remove the `&name`; repeat the text or use a parameter or a group";
    MR0011 Alias "aliases are not part of the language", "write the text out, or use a parameter or a group";
    MR0012 MergeKey "merge keys are not part of the language", "write the keys out, or use `defaults` in the inventory";
    MR0013 Tag "tags are not part of the language", "remove the tag; types come from the key";
    MR0014 DuplicateKey "a key is given twice", "keep one of the two";
    MR0015 NoValue "a key or item has no value", "give it a value or remove it";
    MR0016 SeveralDocuments "several documents are in one file", "put each document into its own file";
    MR0017 TextCut "text is cut by an unquoted `#`", "put the whole text in quotes";
    MR0018 KeyNotText "a key is not plain text", "use a short text as key";
    MR0019 TooDeep "the file is nested too deeply", "flatten the structure";
    MR0020 TooManyNodes "the file has too many entries", "split the file";
    MR0021 EmptyFile "the file has no content", "begin with `mrctl: 1`";
    MR0022 Directive "directives are not part of the language", "remove the line that begins with `%`";

    MR0101 UnknownKey "the key is not known here", "check the spelling";
    MR0102 MissingKey "a required key is missing", "add the key";
    MR0103 WrongType "the value has the wrong form", "`mrctl kinds` and `mrctl schema` tell what is expected";
    MR0104 BadValue "the value is not allowed here", "give another value";
    MR0105 UnknownChoice "the value is none of the choices", "use one of the choices";
    MR0106 NotABoolean "the value is neither true nor false", "write `true` or `false`";
    MR0107 NotAnInteger "the value is not a whole number", "write a whole number in decimal digits";
    MR0108 QuotedValue "a quoted text is where a number or boolean is needed", "remove the quotes";
    MR0109 NoUnit "the number needs a unit", "add a unit";
    MR0110 BadQuantity "the quantity cannot be read", "write a number directly followed by a unit";
    MR0111 BadName "the name has a form that is not allowed", "use lowercase letters and digits, beginning with a letter";

    MR0201 InterpolationUnclosed "a `${` is not closed", "add the `}`; write `$${` for a literal `${`";
    MR0202 InterpolationName "there is no valid name in `${}`", "write a name such as `${to}` or `${run.write_gap}`";
    MR0203 InterpolationUnknown "the name in `${}` is not known", "check the spelling, or declare it under `parameters`";
    MR0204 InterpolationLater "the name in `${}` is known only while running", "use it in message text only";
    MR0205 InterpolationInKey "a key contains `${`", "keys are literal; move the `${}` into a value";
    MR0206 InterpolationRefused "the name in `${}` may not be used here", "see the reason given";

    MR0301 ConditionSyntax "the condition cannot be read", "see `mrctl explain MR0301` for the grammar";
    MR0302 ConditionTooLarge "the condition is too long or too deep", "split it, or define a signal in the inventory";
    MR0303 ConditionName "a name in the condition is not known", "check the spelling, or define a signal in the inventory";
    MR0304 ConditionTypes "the condition mixes things that do not compare", "give both sides the same unit";
    MR0305 ConditionArguments "a signal is called with the wrong arguments", "see what the signal takes";
    MR0306 ConditionNotBoolean "the condition is not true or false", "compare it with something, such as `< 2%`";

    MR0401 UnsupportedVersion "the version of the format is not known", "write `mrctl: 1`, or use a newer mrctl";
    MR0402 NoAction "the step does nothing", "add a key that says what it does, such as `postgres.promote: orders`";
    MR0403 SeveralActions "the step does several things", "make each of them a step of its own";
    MR0404 UnknownKind "there is no such kind of step", "see `mrctl kinds`";
    MR0405 DuplicateId "an id is used twice", "give each its own id";
    MR0406 UnknownStep "there is no such step", "use the id of a step of this runbook";
    MR0407 UnknownRole "there is no such role", "declare it under `roles` with what it is for";
    MR0408 WatchRange "the watch ends before it begins", "swap the two ids";
    MR0409 StepsOrSections "the runbook has no steps, or has them twice", "use either `steps` or `sections`";
    MR0410 ParallelContent "this cannot run together with other steps", "make it a line of its own";
    MR0411 ParallelResource "two steps change one resource at the same time", "put them one after the other";
    MR0412 WriterOrder "freeze, catch up and promote are not in order", "write them in this order for each data set";
    MR0413 PauseWhileFrozen "something waits while writes are frozen", "move it before the freeze or behind the promotion";
    MR0414 SeveralWriters "a data set is not ready when another is promoted", "freeze and catch up every data set before the first promotion";
    MR0415 TrafficBeforeWriter "users are moved before the writer", "move traffic behind the promotion";
    MR0416 RollbackForm "the rollback is not possible like this", "write `auto`, steps of undoable kinds, or `{ none: { because: … } }`";
    MR0417 LiteralRegion "a region's name is in the runbook", "write `from`, `to` or `${to}`, so that the runbook serves every direction";
    MR0418 PolicyMisplaced "the key is not possible for this kind", "remove the key";
    MR0419 ParameterDefinition "the parameter's definition makes no sense", "see what its type allows";
    MR0420 ParameterValue "the value does not fit the parameter", "give a value that fits its type, bounds, pattern and choices";
    MR0421 ParameterUnguarded "any text can reach a query, a URL or an argument", "give the parameter a `pattern` or `choices`";

    MR0501 UnknownRegion "there is no such region", "add it under `regions`, or correct the name";
    MR0502 SharesSum "the shares do not make a whole", "let them sum to 100%, each for a region with a target";
    MR0503 UnknownReference "there is no such resource", "add it to the inventory, or correct the name";
    MR0504 PlainSecret "a secret stands in the inventory as plain text", "refer to it: `{ env: NAME }`, `{ file: PATH }` or `{ command: [program, argument] }`";
    MR0505 BadDomain "this is not a full DNS name", "write the whole name with a dot at the end, inside its zone";
    MR0506 BadTarget "the target does not suit the record", "give each region its own answer of the record's type";
    MR0507 BadTtl "the time to live is not possible", "write whole seconds, such as `60s`";
    MR0508 InsecureTls "the connection is open to others", "use `verify: full`, or say `insecure: true`";
    MR0509 BadGroup "the group does not resolve", "name resources of one type";
    MR0510 DuplicateResource "a resource is defined twice", "keep one of the two";
    MR0511 IncludeRefused "the file is not included", "include files of this folder by relative path, each once";
    MR0512 IncludeCycle "the files include each other", "remove one of the includes";
    MR0513 InventoryNotFound "there is no inventory", "add `mrctl.yaml`, or give `--inventory PATH`";
    MR0514 BadAddress "this is not an address that can be used", "write a plain host, address or URL";
    MR0515 TooFewRegions "there is nowhere to fail over to", "declare at least two regions";
    MR0516 TooFewMembers "the resource stands in one region only", "add a member in another region";
    MR0517 DependencyInRegion "a run may need something in the region that it leaves", "run it outside, or have one in every region";
    MR0518 SeveralDefaults "several channels are the default", "keep `default: true` on one of them";
    MR0519 BadCommand "the command cannot be run", "write program and arguments as a list";
    MR0520 SecretUnreadable "the secret cannot be read", "set the variable or make the file where mrctl runs";

    MR0601 NotRehearsed "what would run was not rehearsed as the inventory demands", "rehearse it with `mrctl rehearse`";
    MR0611 Unprotected "the data set has no standby that could take over", "make the old primary a standby with `postgres.reprotect`, or give a `--reason`";
    MR0612 TurningAround "this goes back to where the last failover left", "wait, or give a `--reason`";
    MR0613 NoWayBack "the region to go back to holds no standby", "make it a standby with `postgres.reprotect`";
    MR0614 NothingToGoBackFrom "the run did not complete, so there is nothing to go back from", "end the run first, or move with `mrctl failover`";
    MR0615 RunbookChanged "the runbook is not the one of the run", "compare them, and give a `--reason`";

    MR0701 ShortSecret "the secret is too short to be kept out of the journal", "use a secret of at least 8 bytes";
    MR0702 SecretIsName "the secret is a word that the run writes", "change the secret: use a random one";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The text names no code of the table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no error code `{0}`")]
pub struct UnknownCode(pub String);

impl FromStr for Code {
    type Err = UnknownCode;

    /// Reads `MR0014`, `mr0014`, `0014` or `14`.
    fn from_str(text: &str) -> Result<Self, UnknownCode> {
        let unknown = || UnknownCode(super::escape::outside(text, 40));
        let trimmed = text.trim();
        let digits = trimmed.strip_prefix("MR").or_else(|| trimmed.strip_prefix("mr")).unwrap_or(trimmed);
        if digits.len() > 4 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(unknown());
        }
        let wanted: u16 = digits.parse().map_err(|_| unknown())?;
        let shown = format!("MR{wanted:04}");
        Code::ALL.iter().copied().find(|code| code.as_str() == shown).ok_or_else(unknown)
    }
}

impl serde::Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Code;

    #[test]
    fn every_code_has_a_page_with_its_heading() {
        for code in Code::ALL {
            let page = code.page();
            let heading = format!("# {}: {}", code.as_str(), code.title());
            assert_eq!(page.lines().next(), Some(heading.as_str()), "heading of {code}");
            let lines = page.lines().count();
            assert!((8..=60).contains(&lines), "{code} has a page of {lines} lines");
            assert!(page.contains("```"), "{code} shows no example");
        }
    }

    #[test]
    fn codes_are_unique_ordered_and_well_formed() {
        for pair in Code::ALL.windows(2) {
            assert!(pair[0].as_str() < pair[1].as_str(), "{} before {}", pair[0], pair[1]);
        }
        for code in Code::ALL {
            let text = code.as_str();
            assert!(
                text.len() == 6 && text.starts_with("MR") && text[2..].bytes().all(|b| b.is_ascii_digit()),
                "{text}"
            );
            assert!(!code.title().ends_with('.') && !code.remedy().ends_with('.'), "{text} ends with a stop");
            assert!(
                code.title().chars().next().is_some_and(char::is_lowercase),
                "{text} title: lowercase fragment"
            );
        }
    }

    #[test]
    fn codes_are_read_in_every_spelling() {
        for spelling in ["MR0014", "mr0014", "0014", "14", " MR0014 "] {
            assert_eq!(spelling.parse::<Code>(), Ok(Code::DuplicateKey), "{spelling}");
        }
        for spelling in ["", "MR", "MR9999", "MR00014", "\u{1b}[31m", "-1", "MRMR0014"] {
            assert!(spelling.parse::<Code>().is_err(), "{spelling:?}");
        }
    }
}
