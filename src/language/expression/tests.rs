use super::*;
use crate::error::FileId;

struct World;

impl Environment for World {
    fn signal(&self, name: &str) -> Option<(Unit, usize)> {
        match name {
            "error_rate" => Some((Unit::Ratio, 1)),
            "p95" => Some((Unit::Seconds, 1)),
            "lag" => Some((Unit::Bytes, 1)),
            _ => None,
        }
    }

    fn name(&self, name: &str) -> Option<Unit> {
        (name == "mode").then_some(Unit::Text)
    }

    fn names(&self) -> Vec<String> {
        ["error_rate", "p95", "lag", "mode"].map(String::from).to_vec()
    }
}

impl Values for World {
    fn call(&self, call: &Call) -> Result<f64, String> {
        match (call.name.as_str(), call.arguments.first().map(String::as_str), call.at_start) {
            ("error_rate", Some("to"), _) => Ok(0.004),
            ("error_rate", Some("nan"), _) => Ok(f64::NAN),
            ("p95", _, true) => Ok(0.2),
            ("p95", Some("to"), _) => Ok(0.25),
            _ => Err("no data".into()),
        }
    }

    fn unit(&self, name: &str) -> Unit {
        self.signal(name).map_or(Unit::Number, |(unit, _)| unit)
    }

    fn name(&self, name: &str) -> Option<String> {
        (name == "mode").then(|| "planned".into())
    }

    fn shown(&self, call: &Call) -> String {
        call.to_string().replace("to)", "us-east)")
    }
}

fn evaluate(text: &str) -> Evaluated {
    let expression = Expression::parse(text, Span::default()).unwrap();
    expression.check(&World, Span::default()).unwrap();
    expression.evaluate(&World)
}

fn problem(text: &str) -> String {
    let span = Span::new(FileId(0), 50..50 + text.len());
    let problem = match Expression::parse(text, span) {
        Ok(expression) => expression.check(&World, span).unwrap_err(),
        Err(problem) => problem,
    };
    let help = problem.help.as_ref().map_or(String::new(), |help| format!(" ({help})"));
    format!("{} {:?} {}{help}", problem.code, problem.span.unwrap().range(), problem.message)
}

#[test]
fn conditions_are_evaluated_with_their_evidence() {
    let seen = evaluate("error_rate(to) < 2% and p95(to) < 1.5 * at_start(p95(to))");
    assert_eq!(seen.truth, Some(true));
    assert_eq!(
        seen.evidence,
        "error_rate(us-east) = 0.4% < 2% and p95(us-east) = 250ms < 1.5 * at_start(p95(us-east)) = 200ms"
    );
    for (text, truth) in [
        ("1 + 2 * 3 == 7", Some(true)),
        ("(1 + 2) * 3 == 9", Some(true)),
        ("10 - 2 - 3 == 5", Some(true)),
        ("64MiB > 5MB", Some(true)),
        ("1h30m == 90m", Some(true)),
        ("not true or true", Some(true)),
        ("not (true or true)", Some(false)),
        ("mode == 'planned'", Some(true)),
        ("mode != \"planned\"", Some(false)),
    ] {
        assert_eq!(evaluate(text).truth, truth, "{text}");
    }
}

#[test]
fn unknown_propagates_and_never_passes() {
    for (text, truth) in [
        ("error_rate(from) < 2%", None),
        ("not error_rate(from) < 2%", None),
        ("error_rate(nan) < 2%", None),
        ("not error_rate(nan) >= 2%", None),
        ("error_rate(from) < 2% or true", Some(true)),
        ("error_rate(from) < 2% and false", Some(false)),
        ("error_rate(from) < 2% and true", None),
        ("1 / 0 > 5", None),
        ("0 / 0 == 0 / 0", None),
    ] {
        assert_eq!(evaluate(text).truth, truth, "{text}");
    }
    assert_eq!(evaluate("error_rate(from) < 2%").evidence, "error_rate(from) is unknown (no data) < 2%");
}

#[test]
fn what_does_not_fit_is_refused_before_the_run() {
    let table = [
        ("error_rate(to) < 30s", "MR0304 65..66 cannot compare a percentage and a time"),
        ("eror_rate(to) < 2%", "MR0303 50..59 `eror_rate` is not known here (did you mean `error_rate`?)"),
        ("error_rate(to)", "MR0306 50..64 the condition is a percentage, not true or false"),
        ("1 and true", "MR0304 50..60 `and` needs true or false, not a number"),
        ("error_rate(to, from) < 2%", "MR0305 50..60 `error_rate` takes at most 1 arguments"),
        ("error_rate(to) <", "MR0301 66..66 expected a value, a signal or `(`, the condition ends here"),
        (
            "error_rate(to) < 2% extra",
            "MR0301 70..71 expected `and`, `or`, a comparison or the end, found `extra`",
        ),
        ("lag(orders) < 5", "MR0304 62..63 cannot compare an amount of data and a number"),
        ("5x < 3", "MR0301 50..51 expected a value, a signal or `(`, found `5x < 3`"),
    ];
    for (text, expected) in table {
        assert_eq!(problem(text), expected, "{text}");
    }
}

#[test]
fn hostile_conditions_are_bounded() {
    assert!(problem(&"(".repeat(5000)).starts_with("MR0302"));
    assert!(problem(&"not ".repeat(200)).starts_with("MR0302"));
    assert!(problem(&"1+".repeat(2000)).starts_with("MR0302"));
}

#[test]
fn it_is_stored_as_its_text() {
    let expression = Expression::parse(" error_rate(to) < 2% ", Span::default()).unwrap();
    let text = serde_json::to_string(&expression).unwrap();
    assert_eq!(text, "\"error_rate(to) < 2%\"");
    assert_eq!(serde_json::from_str::<Expression>(&text).unwrap(), expression);
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "[a-z0-9()<>=!%+*/ .'\"_-]{0,60}|\\PC{0,60}") {
        if let Ok(expression) = Expression::parse(&text, Span::default()) {
            let _ = expression.check(&World, Span::default());
            let _ = expression.evaluate(&World);
        }
    }
}
